"""Several players, several viewings, restarts."""

from __future__ import annotations

from dataclasses import replace

from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder
import pytest

from custom_components.up_next.media import Movie
from custom_components.up_next.scrobbling.calls import Moment, Phase, Resolution
from custom_components.up_next.scrobbling.observation import (
    Media,
    MediaKind,
    Observation,
    PlayerState,
    Rank,
)
from custom_components.up_next.scrobbling.saved import SavedSession
from custom_components.up_next.scrobbling.viewings import REMEMBERED, Viewings
from custom_components.up_next.writes import ScrobbleAction

from .watching import ADVERTISEMENT, START as BEGIN, Room, Title, movie

START, PAUSE, STOP, WATCHED = (
    ScrobbleAction.START,
    ScrobbleAction.PAUSE,
    ScrobbleAction.STOP,
    ScrobbleAction.WATCHED,
)
FILM, OTHER = movie("film"), movie("other")
CAST = replace(
    FILM, media=Media(kind=MediaKind.VIDEO, title="The film", rank=Rank.TITLE)
)
"""The film as a player names it that knows titles only."""
GROUP = replace(FILM, media=replace(FILM.media, rank=Rank.GROUP))


# several players, one viewing


def test_two_players_one_viewing() -> None:
    """The one that knows better leads, whichever came first."""
    for first, second in (("tv", "cast"), ("cast", "tv")):
        titles = {"tv": FILM, "cast": CAST}
        room = Room()
        room.play(0, titles[first], 0, player=first)
        room.play(5, titles[second], 5, player=second)
        room.wait(1000)
        assert room.told == [(START, "film", 0)]
        assert room.heard[0].call.player == "tv"
        assert room.heard[0].call.signature == FILM.media.signature
        assert room.view("tv").viewing == room.view("cast").viewing


def test_only_the_leader_moves_it() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.play(5, CAST, 5, player="cast")
    room.pause(100, CAST, 3000, player="cast")
    room.wait(720)
    assert room.view().position == 720
    assert len(room.told) == 1


def test_the_leader_leaves() -> None:
    """Another goes on, silently, with what it does; the last one ends it."""
    room = Room()
    room.play(0, FILM, 0)
    room.play(0, CAST, 0, player="cast")
    room.end(720, PlayerState.OFF)
    room.wait(1000)
    assert len(room.told) == 1
    assert room.view("cast").position == 1000
    room.pause(1440, CAST, 1440, player="cast")
    room.wait(1500)
    assert room.told[1:] == [(PAUSE, "film", 20)]
    assert room.heard[1].call.player == "cast"
    room.end(2000, PlayerState.OFF, player="cast")
    assert len(room.told) == 2


def test_the_leader_leaves_a_paused_one() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.play(0, CAST, 0, player="cast")
    room.pause(720, CAST, 720, player="cast")
    room.end(730)
    room.wait(740)
    assert room.told[1:] == [(PAUSE, "film", 10)]


def test_a_follower_leaves() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.play(0, CAST, 0, player="cast")
    for state in (PlayerState.IDLE, PlayerState.OFF, PlayerState.UNAVAILABLE):
        room.end(100, state, player="cast")
    room.wait(1000)
    assert room.view().phase is Phase.PLAYING
    assert room.viewings.view("cast", room.now) is None


def test_equal_players_do_not_compete() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.play(50, FILM, 60, player="bed")
    room.play(100, FILM, 110, player="bed")
    assert room.view().position == 100
    room.play(200, GROUP, 0, player="group")
    assert room.view("group").position == 200


def test_found_to_be_one() -> None:
    """Two viewings of what turns out to be one item become one."""
    room = Room(identify=False)
    room.play(0, CAST, 0, player="cast")
    room.play(3, FILM, 4)
    room.wait(20)
    room.resolve(CAST)
    assert room.told == [(START, "film", 0)]
    room.resolve(FILM)
    room.wait(100)
    assert len(room.told) == 1
    assert room.view().viewing == room.view("cast").viewing
    assert room.view().position == 101
    room.end(7000)
    room.end(7001, player="cast")
    room.wait(7100)
    assert room.told[1:] == [(WATCHED, "film", 97)]


def test_found_to_be_one_that_is_held() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.end(1000, PlayerState.UNAVAILABLE)
    room.identify = False
    room.play(1010, CAST, 1005, player="cast")
    room.wait(1030)
    room.resolve(CAST)
    room.wait(1100)
    assert len(room.told) == 1
    assert room.view("cast").position == 1095


def test_told_comes_first() -> None:
    """Of two that become one, the one that was told of goes on."""
    room = Room(identify=False)
    room.play(0, CAST, 0, player="cast")
    room.play(1, FILM, 0)
    room.resolve(FILM)
    room.wait(60)
    room.resolve(CAST)
    room.end(7000)
    room.end(7000, player="cast")
    room.wait(7100)
    assert [heard.brief[0] for heard in room.heard] == [START, WATCHED]
    assert len({heard.call.viewing for heard in room.heard}) == 1


VAGUE = Title(
    name="vague",
    media=Media(kind=MediaKind.VIDEO, title="Film", rank=Rank.TITLE),
    items=(),
    length=7201.0,
)


def test_poorly_named_but_alike() -> None:
    """A title that tells nothing, at the same place for half a minute, is the same viewing."""
    room = Room()
    room.play(0, VAGUE, 0, player="cast")
    room.play(2, FILM, 0)
    room.wait(31)
    assert room.view().viewing != room.view("cast").viewing
    room.wait(32)
    assert room.view().viewing == room.view("cast").viewing
    # it only looks like it, and keeps nothing going
    room.play(100, VAGUE, 100, player="cast")
    room.end(7000, PlayerState.OFF)
    room.wait(7100)
    assert room.told == [(START, "film", 0), (WATCHED, "film", 97)]
    # what follows under the same poor name is another
    room.play(7200, VAGUE, 0, player="cast")
    room.wait(7210)
    assert room.view("cast").resolved is False


def test_alike_but_elsewhere() -> None:
    room = Room()
    room.play(0, VAGUE, 600, player="cast")
    room.play(2, FILM, 0)
    room.wait(100)
    assert room.view().viewing != room.view("cast").viewing


def test_alike_for_a_moment_only() -> None:
    room = Room()
    room.play(0, VAGUE, 0, player="cast")
    room.play(2, FILM, 0)
    room.play(20, VAGUE, 3000, player="cast")
    room.wait(100)
    assert room.view().viewing != room.view("cast").viewing


def test_alike_but_of_another_length() -> None:
    room = Room()
    room.play(0, VAGUE, 0, player="cast", length=7300)
    room.play(2, FILM, 0)
    room.wait(100)
    assert room.view().viewing != room.view("cast").viewing


def test_from_room_to_room() -> None:
    """Whoever goes on elsewhere at once goes on with the same viewing."""
    room = Room()
    room.play(0, FILM, 0)
    room.end(3000)
    room.play(3008, FILM, 3000, player="bed")
    room.end(7000 + 8, player="bed")
    room.wait(7100)
    assert room.told == [(START, "film", 0), (WATCHED, "film", 97)]
    assert room.heard[1].call.player == "bed"


def test_two_items_two_viewings() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.play(10, OTHER, 0, player="bed")
    room.end(720, PlayerState.OFF)
    room.end(730, PlayerState.OFF, player="bed")
    assert [heard.brief for heard in room.heard] == [
        (START, "film", 0),
        (START, "other", 0),
        (STOP, "film", 10),
        (STOP, "other", 10),
    ]


# what a player shows


def test_view() -> None:
    room = Room()
    assert room.viewings.view("tv", room.now) is None
    room.play(0, FILM, 100)
    room.wait(50)
    view = room.view()
    assert (view.position, view.duration, view.played) == (150, 7200, 50)
    assert view.progress == pytest.approx(2.083, abs=0.01)
    assert (view.watched, view.silent, view.started_at) == (False, False, BEGIN)
    assert view.media == FILM.media
    room.play(100, ADVERTISEMENT, 0)
    assert room.view().phase is Phase.HELD
    room.wait(400)
    assert room.viewings.view("tv", room.now) is None


def test_revision() -> None:
    """What may have changed what is shown can be told from what has not."""
    room = Room()
    room.play(0, FILM, 0)
    before = room.viewings.revision
    room.play(1, FILM, 0, dated=0)
    assert room.viewings.revision == before
    room.play(2, FILM, 2)
    assert room.viewings.revision > before


def test_of_whom_there_is_news() -> None:
    """Only those are looked at again of whom something else is to be seen than that time has passed."""
    room = Room()
    room.play(0, FILM, 0)
    room.play(0, CAST, 0, player="cast")
    room.play(0, OTHER, 0, player="bed")
    assert room.viewings.changed() == {"tv", "cast", "bed"}
    assert room.viewings.changed() == set()
    room.wait(10)
    room.play(10, OTHER, 10, player="bed")
    room.play(11, OTHER, 10, dated=10, player="bed")
    assert room.viewings.changed() == {"bed"}
    # it may be told of now, on whichever player
    room.wait(15)
    assert room.viewings.changed() == {"tv", "cast", "bed"}
    room.end(100)
    assert room.viewings.changed() == {"tv", "cast"}
    room.end(110, player="cast")
    room.wait(119)
    room.viewings.changed()
    room.wait(200)
    assert room.viewings.changed() == {"cast"}
    room.viewings.look_again()
    assert room.viewings.changed() == {"bed"}
    room.forget("bed")
    assert room.viewings.changed() == {"bed"}


def test_save_what_changed() -> None:
    """What goes on as before is as it was saved last."""
    room = Room()
    room.play(0, FILM, 0)
    room.play(0, OTHER, 0, player="bed")
    room.wait(100)
    assert [one.position for one in room.viewings.save(room.now)] == [100, 100]
    room.pause(200, OTHER, 200, player="bed")
    less = room.viewings.save(room.now, anew=False)
    assert [one.position for one in less] == [100, 200]
    assert [one.saved_at for one in less] == [room.wall(100), room.wall(200)]
    assert [one.position for one in room.viewings.save(room.now)] == [200, 200]
    room.end(300, PlayerState.OFF)
    less = room.viewings.save(room.now, anew=False)
    assert [(one.player, one.closed) for one in less] == [("bed", False), ("tv", True)]


def test_saving_does_nothing() -> None:
    """What was due before it was saved is done as of when it was due."""
    room = Room(lazy=True)
    room.play(0, FILM, 0)
    room.t = 8000
    room.viewings.save(room.now)
    room.tick(8000)
    assert room.told == [(START, "film", 0), (WATCHED, "film", 100)]
    assert room.heard[1].call.at == room.wall(7260)


def test_time_never_runs_back() -> None:
    """What comes with an earlier time than what came before happens now."""
    room = Room()
    room.play(0, FILM, 0)
    room.play(100, FILM, 100)
    back = Observation(state=PlayerState.OFF, monotonic=90, at=room.wall(90))
    (call,) = room.viewings.observe("tv", back)
    assert (call.action, call.position) == (STOP, 100)


def test_what_one_counts_is_known_to_the_other() -> None:
    """A viewing that only goes on with what another has just counted begins to be silent, and no sooner."""
    trailer = replace(
        FILM, media=replace(FILM.media, title="Trailer"), length=150.0, runtime=7200.0
    )
    room = Room()
    room.play(0, FILM, 3000)
    room.play(0, trailer, 0, player="bed")
    room.wait(20)
    room.end(4000, PlayerState.OFF)
    assert room.told == [(START, "film", 42), (WATCHED, "film", 97)]
    room.play(4100, FILM, 7000)
    room.wait(4200)
    assert room.view().silent


def test_forgotten_player() -> None:
    """What a player that is no longer followed showed alone ends."""
    room = Room()
    room.play(0, FILM, 0)
    room.play(0, OTHER, 0, player="bed")
    room.play(0, CAST, 0, player="cast")
    room.wait(720)
    room.forget("cast")
    room.forget("nobody")
    assert len(room.told) == 2
    room.forget()
    assert room.told[2:] == [(STOP, "film", 10)]
    room.end(730, player="bed")
    room.t = 735
    room.forget("bed")
    assert room.told[3:] == [(STOP, "other", 10)]
    assert room.viewings.due() is None


def test_resolved_before_it_plays() -> None:
    room = Room(identify=False)
    room.resolve(FILM)
    room.resolve(FILM)
    room.play(0, FILM, 0)
    room.wait(15)
    assert room.told == [(START, "film", 0)]


def test_many_resolutions() -> None:
    """Only so many are remembered; what plays knows its own."""
    room = Room()
    room.play(0, FILM, 0)
    for n in range(REMEMBERED + 1):
        resolution = Resolution(items=(Movie(title=str(n)),))
        room.viewings.resolve(str(n), resolution, room.now)
    room.wait(15)
    assert room.told == [(START, "film", 0)]


def test_old_report_on_the_next_item() -> None:
    """The first report of an item may carry the position of the one before."""
    room = Room()
    room.play(0, FILM, 0)
    room.play(7000, FILM, 7000)
    room.play(7150, OTHER, 7000, dated=7000)
    room.wait(7160)
    assert room.view().position == 10
    room.play(7162, OTHER, 3)
    assert room.view().position == 3


def test_closed_but_still_shown() -> None:
    """A player that shows a closed viewing in the same way, without dates, has no news; having stopped, it has."""
    for state, news in (
        (PlayerState.UNAVAILABLE, False),
        (PlayerState.IDLE, True),
        (PlayerState.PAUSED, True),
    ):
        room = Room()
        room.play(0, FILM, None)
        room.wait(7260)
        assert room.told[-1] == (WATCHED, "film", 100)
        room.play(8000, None if state is not PlayerState.PAUSED else FILM, None, state)
        room.play(8100, FILM, None)
        assert (room.viewings.view("tv", room.now) is not None) is news


def test_buffering_is_no_news_of_a_closed_viewing() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.wait(8000)
    room.play(8000, FILM, None, PlayerState.BUFFERING)
    room.play(8010, FILM, 0, dated=0)
    room.wait(8100)
    assert room.viewings.view("tv", room.now) is None
    room.play(8200, FILM, 0)
    assert room.view().position == 0


# restarts


def test_restart_while_playing() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.restart(3000, 60)
    assert room.view().phase is Phase.HELD
    room.end(3061, PlayerState.UNAVAILABLE)
    room.play(3100, FILM, 0, dated=0)
    room.wait(3200)
    assert room.view().position == 3200
    assert room.view().played == 3200
    room.end(7000)
    room.wait(7100)
    assert room.told == [(START, "film", 0), (WATCHED, "film", 97)]
    assert len({heard.call.viewing for heard in room.heard}) == 1


def test_restart_with_a_wrong_date() -> None:
    """The player's clock is minutes behind: its position is not that old."""
    room = Room()
    room.play(0, FILM, 0)
    room.restart(3000, 60)
    room.play(3070, FILM, 3065, dated=2700)
    assert room.view().position == 3065


def test_restart_and_elsewhere() -> None:
    """Where it is now can't have been reached by playing: only what was played counts."""
    room = Room()
    room.play(0, FILM, 0)
    room.restart(1000, 60)
    room.play(1070, FILM, 6500)
    room.end(1100)
    room.wait(1200)
    assert room.told[1:] == [(STOP, "film", 80)]


def test_restart_and_gone() -> None:
    """Nobody plays it any more: it ended as it was known last, and when it was."""
    for state in (None, PlayerState.UNAVAILABLE, PlayerState.OFF):
        room = Room()
        room.play(0, FILM, 0)
        room.wait(6500)
        room.restart(6500, 8 * 3600)
        if state is not None:
            room.end(room.t + 1, state)
        room.wait(room.t + 200)
        assert room.told[1:] == [(WATCHED, "film", 90)]
        call = room.heard[-1].call
        assert call.at == room.wall(6500)
        assert call.counted is not None
        assert call.counted.at == call.at


def test_restart_and_off_for_a_moment() -> None:
    """Some players begin switched off, until they have heard from their device."""
    room = Room()
    room.play(0, FILM, 0)
    room.restart(3000, 60)
    room.end(3061, PlayerState.OFF)
    room.play(3061.01, FILM, 3061)
    room.wait(3200)
    assert len(room.told) == 1


def test_restart_and_another() -> None:
    """What was played before ends as it stood, before the other begins."""
    room = Room()
    room.play(0, FILM, 0)
    room.restart(720, 60)
    room.play(790, OTHER, 0)
    room.wait(900)
    assert room.told[1:] == [(STOP, "film", 10), (START, "other", 0)]


def test_restart_in_a_pause() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.pause(720, FILM, 720)
    room.wait(800)
    room.restart(900, 60)
    room.pause(961, FILM, 720)
    room.wait(1000)
    room.play(1100, FILM, 720)
    assert [heard.brief[0] for heard in room.heard] == [START, PAUSE, START]
    assert room.heard[-1].call.resumed


def test_restart_in_another_room() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.restart(3000, 60)
    room.play(3070, CAST, 3065, player="cast")
    room.end(7000, player="cast")
    room.wait(7100)
    assert [heard.brief[0] for heard in room.heard] == [START, WATCHED]


def test_restart_after_it_was_counted() -> None:
    """What was stored before it was counted is not taken up again."""
    room = Room()
    room.play(0, FILM, 0)
    room.wait(7000)
    old = room.viewings.save(room.now)
    room.end(7000)
    room.wait(7100)
    again = Viewings(
        rhythm=room.rhythm, ledger=room.viewings.ledger, settings=room.settings
    )
    again.restore(old, Moment(monotonic=0, at=room.wall(7200)))
    assert again.due() is None


def test_restart_and_a_closed_viewing() -> None:
    """A player that plays for ever, and tells no position, has nothing new to tell after a restart."""
    room = Room()
    room.play(0, FILM, None)
    room.restart(8000, 60)
    room.play(8070, FILM, None)
    room.wait(20000)
    assert len(room.told) == 2
    dated = Room()
    dated.play(0, FILM, 0)
    dated.restart(6000, 60)
    dated.wait(7000)
    assert dated.told[-1] == (WATCHED, "film", 83)
    dated.play(7000, FILM, 0, dated=0)
    dated.wait(20000)
    assert len(dated.told) == 2


def test_saved_as_text() -> None:
    """What is saved can be stored as text and means the same."""
    room = Room()
    room.play(0, FILM, 0)
    room.play(0, CAST, 0, player="cast")
    room.play(0, VAGUE, 900, player="bed")
    room.pause(720, FILM, 720)
    room.wait(800)
    room.play(800, OTHER, 0, player="bed")
    room.end(900, PlayerState.OFF, player="bed")
    saved = room.viewings.save(room.now)
    assert len(saved) == 3
    encode, decode = (
        ORJSONEncoder(SavedSession).encode,
        ORJSONDecoder(SavedSession).decode,
    )
    assert tuple(decode(encode(one)) for one in saved) == saved


def test_save_as_of_the_last_event() -> None:
    room = Room()
    assert room.viewings.save() == ()
    room.play(0, FILM, 0)
    assert [one.position for one in room.viewings.save()] == [0]
    room.wait(500)
    assert [one.position for one in room.viewings.save(room.now)] == [500]


def test_one_at_a_place_that_was_left() -> None:
    """A player that only looks like another leaves, and comes back as itself."""
    room = Room()
    room.play(0, VAGUE, 0, player="cast")
    room.play(0, FILM, 0)
    room.wait(40)
    room.end(50, player="cast")
    room.wait(100)
    assert room.view().phase is Phase.PLAYING
    room.play(110, VAGUE, 3000, player="cast")
    assert room.view("cast").resolved is False


def test_both_of_two_become_one_of_a_file() -> None:
    """One player knows the file with both episodes, the other the episode that plays."""
    first = Movie(title="first")
    second = Movie(title="second")
    both = replace(
        movie("both", 7200.0, rank=Rank.NUMBERS), items=(first, second), runtime=7200
    )
    alone = replace(movie("alone", 3600.0), items=(second,))
    room = Room()
    room.play(0, both, 3700)
    room.play(0, alone, 100, player="bed")
    room.wait(20)
    assert room.told == [(START, "second", 3)]
    assert room.view().viewing == room.view("bed").viewing
    room.end(100, player="bed")
    room.wait(200)
    assert room.view().position == 300
    assert room.view().item == second


def test_a_clip_of_its_own_is_no_viewing_of_the_movie() -> None:
    """A trailer elsewhere does not become one with the movie, though both have its name."""
    trailer = replace(
        FILM, media=replace(FILM.media, title="Trailer"), length=150.0, runtime=7200.0
    )
    room = Room()
    room.play(0, trailer, 0, player="bed")
    room.play(0, FILM, 0)
    room.wait(100)
    assert room.told == [(START, "film", 0)]
    assert room.view().duration == 7200


def test_the_other_is_corrected() -> None:
    """What a player that only follows turns out to call something else does not change what is watched."""
    room = Room()
    room.play(0, FILM, 0)
    room.play(5, CAST, 5, player="cast")
    room.wait(100)
    assert OTHER.items
    room.resolve(CAST, Resolution(items=OTHER.items, runtime=7200))
    room.end(6000)
    room.end(7000, player="cast")
    room.wait(7100)
    assert room.told == [(START, "film", 0), (WATCHED, "film", 97)]


def test_names_that_players_share() -> None:
    """One of two players that call it the same begins to call it otherwise; the name stays known."""
    room = Room(identify=False)
    named = replace(FILM, media=replace(FILM.media, title="Film", content_id="1"))
    better = replace(
        FILM, media=replace(FILM.media, title="Film", content_id="1", year=2024)
    )
    room.play(0, named, 0)
    room.play(0, named, 0, player="bed")
    room.play(10, better, 10, player="bed")
    room.play(20, named, 20, player="kitchen")
    assert room.view("kitchen").viewing == room.view("tv").viewing
    assert room.view("bed").viewing == room.view("tv").viewing
