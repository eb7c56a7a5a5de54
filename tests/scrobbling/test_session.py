"""One viewing on one player: when something is told, and what."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.scrobbling.calls import (
    Phase,
    PlayerSettings,
    Resolution,
    Rhythm,
    Thresholds,
)
from custom_components.up_next.scrobbling.observation import (
    Media,
    MediaKind,
    PlayerState,
    Rank,
)
from custom_components.up_next.writes import ScrobbleAction

from .watching import ADVERTISEMENT, Room, Title, movie

START, PAUSE, STOP, WATCHED = (
    ScrobbleAction.START,
    ScrobbleAction.PAUSE,
    ScrobbleAction.STOP,
    ScrobbleAction.WATCHED,
)
FILM = movie("film")
OTHER = movie("other")
SHORT = movie("short", 240.0)
DAY = 86400.0


def episode(name: str, number: int, length: float = 2700.0) -> Title:
    show = Show(title="Silo", ids=Ids.of(tvdb=7))
    item = Episode(show=show, season=1, number=number, title=name)
    media = Media(
        kind=MediaKind.EPISODE,
        title=name,
        series="Silo",
        season=1,
        episode=number,
        rank=Rank.NUMBERS,
    )
    return Title(name=name, media=media, items=(item,), length=length, runtime=length)


ONE, TWO = episode("one", 1), episode("two", 2)
assert ONE.items
assert TWO.items
BOTH = Title(
    name="both",
    media=replace(ONE.media, content_id="9", source="jellyfin", last_episode=2),
    items=(*ONE.items, *TWO.items),
    length=5400.0,
    runtime=5400.0,
)


def settled(**more: float) -> Room:
    """Return a room with its own settings."""
    thresholds = Thresholds(
        movie=more.pop("movie", 80.0), episode=more.pop("episode", 80.0)
    )
    wanted = PlayerSettings(thresholds=thresholds, **more)
    return Room(settings=lambda player: wanted)


# beginning


def test_start_after_a_while() -> None:
    """Zapping is nobody's business."""
    room = Room()
    room.play(0, FILM, 0)
    room.end(14)
    room.play(100, FILM, 0)
    room.wait(114)
    assert room.told == []
    assert room.view().phase is Phase.CANDIDATE
    room.wait(115)
    assert room.told == [(START, "film", 0)]
    call = room.heard[0].call
    assert (call.position, call.duration, call.player) == (15, 7200, "tv")
    assert call.at == room.wall(115)
    assert call.started_at == room.wall(100)
    assert room.view().phase is Phase.PLAYING


def test_dwell_is_a_setting() -> None:
    room = settled(dwell=60)
    room.play(0, FILM, 0)
    room.wait(59)
    assert room.told == []
    room.wait(60)
    assert len(room.told) == 1
    eager = settled(dwell=0)
    eager.play(0, FILM, 0)
    assert len(eager.told) == 1


def test_opened_late_waits_longer() -> None:
    room = Room()
    room.play(0, FILM, 6000)
    room.wait(59)
    assert room.told == []
    room.wait(60)
    assert room.told == [(START, "film", 84)]


def test_opened_at_the_end_then_from_the_start() -> None:
    """The player remembers the end, and the person goes back to the start."""
    room = Room()
    room.play(0, FILM, 7150)
    room.play(8, FILM, 0)
    room.wait(22)
    assert room.told == []
    room.wait(23)
    assert room.told == [(START, "film", 0)]


def test_resumed_at_a_bookmark() -> None:
    """A player says 0 first, and then where it really is."""
    room = Room()
    room.play(0, FILM, 0)
    room.play(1, FILM, 6500)
    room.wait(20)
    assert room.told == []


# pauses


def test_pause_and_resume() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.pause(720, FILM, 720)
    room.wait(724)
    assert len(room.told) == 1
    room.wait(800)
    assert room.view().phase is Phase.PAUSED
    assert room.view().position == 720
    room.play(900, FILM, 720)
    assert room.told[1:] == [(PAUSE, "film", 10), (START, "film", 10)]
    assert [heard.call.resumed for heard in room.heard] == [False, False, True]
    assert len({heard.call.viewing for heard in room.heard}) == 1


def test_pause_after_is_a_rhythm() -> None:
    room = Room(rhythm=Rhythm(pause_after=60))
    room.play(0, FILM, 0)
    room.pause(720, FILM, 720)
    room.wait(779)
    assert len(room.told) == 1
    room.wait(780)
    assert room.told[1:] == [(PAUSE, "film", 10)]


def test_long_buffering_is_a_pause() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.play(720, FILM, None, PlayerState.BUFFERING)
    room.wait(770)
    assert room.view().phase is Phase.PLAYING
    room.wait(784)
    assert room.view().phase is Phase.PAUSED
    assert len(room.told) == 1
    room.wait(785)
    assert room.told[1:] == [(PAUSE, "film", 10)]


def test_silent_buffering() -> None:
    """While it buffers, a player may say nothing of what it plays."""
    room = Room()
    room.play(0, FILM, 0)
    room.play(720, None, None, PlayerState.BUFFERING)
    room.play(730, FILM, 720)
    room.wait(800)
    assert len(room.told) == 1
    assert room.view().position == 790


def test_pause_at_the_very_start_and_late() -> None:
    """There is no position to keep before the first percent, nor from 80 on."""
    room = Room()
    room.play(0, FILM, 0)
    room.pause(60, FILM, 60)
    room.play(100, FILM, 60)
    room.pause(6400, FILM, 6000)
    room.play(6500, FILM, 6000)
    room.wait(6600)
    assert room.told == [(START, "film", 0)]


def test_pause_in_the_credits_ends_it() -> None:
    """Watched, and paused for ten minutes: nobody waits for the credits."""
    room = Room()
    room.play(0, FILM, 0)
    room.pause(6300, FILM, 6300)
    room.wait(6899)
    assert len(room.told) == 1
    room.wait(6900)
    assert room.told[1:] == [(WATCHED, "film", 88)]
    # the last minutes are no new viewing
    room.play(7000, FILM, 6300)
    room.wait(7100)
    assert room.view().silent
    room.end(7850)
    room.wait(9000)
    assert len(room.told) == 2


def test_pause_for_an_hour_ends_it() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.pause(720, FILM, 720)
    room.wait(720 + 3600)
    assert room.viewings.view("tv", room.now) is None
    assert len(room.told) == 2  # the pause said where it stands


def test_seek_while_paused() -> None:
    """A stop tells a position that the pause did not."""
    room = Room()
    room.play(0, FILM, 0)
    room.pause(720, FILM, 720)
    room.pause(740, FILM, 3600)
    room.end(800)
    room.wait(820)
    assert room.told[1:] == [(PAUSE, "film", 10), (STOP, "film", 50)]


# seeks and heartbeats


def test_seek_is_told_where_wanted() -> None:
    for seeks in (True, False):
        room = Room(rhythm=Rhythm(seeks=seeks))
        room.play(0, FILM, 0)
        room.play(100, FILM, 3700)
        room.wait(200)
        assert len(room.told) == (2 if seeks else 1)


def test_looking_for_a_scene() -> None:
    """Of seeks in short order, only where they end is told."""
    room = Room()
    room.play(0, FILM, 0)
    for n in range(1, 6):
        room.play(100 + n, FILM, 600.0 * n)
    room.wait(130)
    assert [(h.t, *h.brief) for h in room.heard[1:]] == [
        (101, START, "film", 8),
        (111, START, "film", 42),
    ]


def test_seek_beyond_the_threshold() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.play(100, FILM, 6500)
    room.wait(130)
    assert len(room.told) == 1


def test_small_seek() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.play(100, FILM, 400)
    room.wait(130)
    assert len(room.told) == 1


def test_heartbeat() -> None:
    room = Room(rhythm=Rhythm(heartbeat=900))
    room.play(0, FILM, 0)
    room.pause(2000, FILM, 2000)
    room.play(4000, FILM, 2000)
    room.end(5000)
    room.wait(6000)
    assert [(h.t, h.call.action) for h in room.heard] == [
        (15, START),
        (915, START),
        (1815, START),
        (2005, PAUSE),
        (4000, START),
        (4900, START),
        (5010, STOP),
    ]


# ends


def test_own_threshold_for_each_type() -> None:
    room = settled(movie=60, episode=90)
    room.play(0, FILM, 0)
    room.end(4400)
    room.play(5000, ONE, 0)
    room.end(5000 + 2350)
    room.wait(9000)
    assert room.told == [
        (START, "film", 0),
        (WATCHED, "film", 61),
        (START, "one", 1),
        (STOP, "one", 80),
    ]
    progress = room.heard[-1].call.progress
    assert progress == 79.9


def test_low_threshold_keeps_a_stop_below() -> None:
    """A service would take what is beyond for watched."""
    room = settled(movie=50)
    room.play(0, FILM, 0)
    room.play(100, FILM, 5000)
    room.end(120)
    room.wait(200)
    assert room.heard[-1].brief[0] is STOP
    assert room.heard[-1].call.progress == 49.9


def test_threshold_changes_meanwhile() -> None:
    wanted = [95.0]
    room = Room(
        settings=lambda player: PlayerSettings(thresholds=Thresholds(movie=wanted[0]))
    )
    room.play(0, FILM, 0)
    room.wait(6000)
    assert not room.view().watched
    wanted[0] = 80.0
    room.end(6100)
    room.wait(6200)
    assert room.told[-1] == (WATCHED, "film", 85)


def test_no_end_is_reported() -> None:
    """A player says that it plays, for ever: a minute after the end it is over."""
    room = Room()
    room.play(0, FILM, 0)
    room.wait(7259)
    assert len(room.told) == 1
    room.wait(20000)
    assert [(h.t, *h.brief) for h in room.heard[1:]] == [(7260, WATCHED, "film", 100)]
    room.play(20000, FILM, 0, dated=0)
    room.wait(40000)
    assert len(room.told) == 2


def test_dead_poller() -> None:
    """A player that reported every ten seconds is silent: it plays no more, and an hour later it is over."""
    room = Room()
    for n in range(30):
        room.play(n * 10, FILM, n * 10)
    room.wait(290 + 90 + 3599)
    assert len(room.told) == 1
    room.wait(290 + 90 + 3600)
    assert room.told[1:] == [(STOP, "film", 5)]


def test_stop_just_begun() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.end(16)
    room.wait(100)
    assert room.heard[-1].call.progress == 1.0


def test_off_ends_at_once() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.end(720, PlayerState.OFF)
    assert room.told[1:] == [(STOP, "film", 10)]


@pytest.mark.parametrize(
    ("state", "grace"), [(PlayerState.IDLE, 10), (PlayerState.UNAVAILABLE, 60)]
)
def test_grace(state: PlayerState, grace: float) -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.end(720, state)
    room.wait(720 + grace - 1)
    assert room.view().phase is Phase.HELD
    assert len(room.told) == 1
    room.wait(720 + grace)
    assert room.told[1:] == [(STOP, "film", 10)]


@pytest.mark.parametrize(
    ("source", "grace"),
    [("jellyfin", 15), ("vlc_telnet", 15), ("directv", 15), ("kodi", 15), ("plex", 10)],
)
def test_looked_at_now_and_then(source: str, grace: float) -> None:
    """Where a player is looked at every ten seconds, one look that finds it idle ends nothing."""
    title = replace(FILM, media=replace(FILM.media, source=source))
    room = Room()
    room.play(0, title, 0)
    room.end(720)
    room.play(720 + grace - 1, title, 730)
    room.wait(800)
    assert len(room.told) == 1
    room.end(1000)
    room.wait(1000 + grace - 1)
    assert len(room.told) == 1
    room.wait(1000 + grace)
    assert [heard.brief[0] for heard in room.heard] == [START, STOP]


def test_idle_then_unavailable() -> None:
    """A player that is idle has ended; that it goes away then gives it no more time."""
    room = Room()
    room.play(0, FILM, 0)
    room.end(720)
    room.end(721, PlayerState.UNAVAILABLE)
    room.wait(730)
    assert room.told[1:] == [(STOP, "film", 10)]


def test_played_on_while_unavailable() -> None:
    room = Room()
    room.play(0, ONE, 0)
    room.end(1000, PlayerState.UNAVAILABLE)
    room.play(1050, ONE, 1050)
    assert room.view().played == 1050


def test_advertisements() -> None:
    """Whatever comes in between is no end, for four minutes."""
    room = Room()
    room.play(0, FILM, 0)
    for n in range(7):
        room.play(720 + n * 31, ADVERTISEMENT, 0)
        room.end(720 + n * 31 + 30)
    room.play(940, FILM, 720)
    room.wait(1000)
    assert len(room.told) == 1
    assert room.view().position == 780
    for n in range(20):
        room.play(1000 + n * 31, ADVERTISEMENT, 0)
    room.wait(1240)
    assert room.told[1:] == [(STOP, "film", 11)]


# counting once


def test_goes_on_the_next_day() -> None:
    """The rest of what was counted is not told of again; from the start, it is."""
    room = Room()
    room.play(0, FILM, 0)
    room.end(6000)
    room.play(DAY, FILM, 6000)
    room.end(DAY + 1200)
    room.wait(DAY + 2000)
    assert room.told == [(START, "film", 0), (WATCHED, "film", 83)]
    room.play(2 * DAY, FILM, 0)
    room.wait(2 * DAY + 100)
    assert room.heard[-1].brief[0] is START
    assert room.heard[-1].call.rewatch
    room.end(2 * DAY + 7200)
    room.wait(3 * DAY)
    assert room.told[-1][0] is WATCHED
    assert room.heard[-1].call.rewatch


def test_second_viewing_in_two_evenings() -> None:
    """Half of it must be played again, in however many evenings."""
    room = Room()
    room.play(0, FILM, 0)
    room.end(7000)
    room.play(DAY, FILM, 0)
    room.end(DAY + 2880)
    room.play(2 * DAY, FILM, 2880)
    room.wait(2 * DAY + 20)
    assert room.heard[-1].brief == (START, "film", 40)
    room.end(2 * DAY + 3000)
    room.wait(3 * DAY)
    assert [h.brief[0] for h in room.heard[2:]] == [START, STOP, START, WATCHED]


def test_skipping_through_again() -> None:
    """Seen again in a minute: that is no second viewing, and nothing to keep a position of."""
    room = Room()
    room.play(0, FILM, 0)
    room.end(7000)
    room.play(DAY, FILM, 0)
    room.play(DAY + 100, FILM, 6900)
    room.end(DAY + 200)
    room.wait(2 * DAY)
    assert [h.brief[0] for h in room.heard] == [START, WATCHED, START]


def test_a_week_later() -> None:
    """After a week, seeing the end again is a viewing like any other."""
    room = Room()
    room.play(0, FILM, 0)
    room.end(7000)
    room.play(8 * DAY, FILM, 5700)
    room.end(8 * DAY + 1400)
    room.wait(9 * DAY)
    assert [h.brief[0] for h in room.heard] == [START, WATCHED, START, WATCHED]


def test_halfway_through_again_is_told() -> None:
    """What seemed to go on with a counted viewing turns out to be another."""
    room = Room()
    room.play(0, FILM, 0)
    room.end(7000)
    room.play(DAY, FILM, 2000)
    room.wait(DAY + 3599)
    assert len(room.told) == 2
    room.wait(DAY + 3600)
    assert room.heard[-1].brief == (START, "film", 78)


def test_undone() -> None:
    """A viewing that was undone does not stand in the way."""
    room = Room()
    room.play(0, FILM, 0)
    room.end(7000)
    room.wait(7100)
    room.viewings.recount(())
    room.play(8000, FILM, 6000)
    room.end(9000)
    room.wait(9100)
    assert [h.brief[0] for h in room.heard] == [START, WATCHED, START, WATCHED]
    assert not room.heard[-1].call.rewatch


# what it is


def test_not_identified_yet() -> None:
    """Nothing is told until it is known what plays; then it is, in the middle."""
    room = Room(identify=False)
    room.play(0, FILM, 0)
    room.wait(1440)
    assert room.told == []
    view = room.view()
    assert (view.phase, view.resolved, view.item) == (Phase.CANDIDATE, None, None)
    room.resolve(FILM)
    assert room.told == [(START, "film", 20)]


def test_nobody_knows() -> None:
    """What a person has to decide about plays silently, and tells that it was watched."""
    unknown = replace(FILM, items=())
    room = Room()
    room.play(0, unknown, 0)
    room.pause(1000, unknown, 1000)
    room.play(1100, unknown, 1000)
    view = room.view()
    assert (view.phase, view.resolved) == (Phase.PLAYING, False)
    room.end(7200)
    room.wait(7300)
    assert room.told == [(WATCHED, None, 99)]
    assert room.heard[0].call.signature == FILM.media.signature
    counted = room.heard[0].call.counted
    assert counted is not None
    # once it is known, the last minutes are still no viewing of their own
    room.play(8000, unknown, 6300)
    room.resolve(FILM)
    room.wait(8900)
    room.end(8900)
    room.wait(9000)
    assert len(room.told) == 1


def test_unknown_and_stopped() -> None:
    room = Room()
    room.play(0, replace(FILM, items=()), 0)
    room.end(3600)
    room.wait(4000)
    assert room.told == []


def test_known_in_a_pause() -> None:
    room = Room(identify=False)
    room.play(0, FILM, 0)
    room.pause(100, FILM, 100)
    room.wait(200)
    room.resolve(FILM)
    assert room.told == []
    room.play(300, FILM, 100)
    assert room.told == [(START, "film", 1)]


def test_corrected_meanwhile() -> None:
    """It is something else: that is told from its start on, and nothing more of the first."""
    room = Room()
    room.play(0, FILM, 0)
    room.wait(3600)
    assert OTHER.items
    room.resolve(FILM, Resolution(items=OTHER.items, runtime=7200))
    room.end(7000)
    room.wait(7100)
    assert room.told == [
        (START, "film", 0),
        (START, "other", 50),
        (WATCHED, "other", 97),
    ]
    assert len({heard.call.viewing for heard in room.heard}) == 2


def test_better_known_meanwhile() -> None:
    """The same item with more ids is no news."""
    room = Room()
    room.play(0, FILM, 0)
    room.wait(100)
    assert FILM.items
    more = replace(FILM.items[0], ids=FILM.items[0].ids.merged(Ids.of(tmdb=5)))
    room.resolve(FILM, Resolution(items=(more,), runtime=7300))
    room.end(200)
    room.wait(300)
    assert len({heard.call.viewing for heard in room.heard}) == 1
    assert room.heard[-1].call.item == more


def test_late_attributes() -> None:
    """The same content described better is the same viewing."""
    poor = Title(
        name="poor",
        media=Media(kind=MediaKind.VIDEO, title="one", content_id="http://x/1"),
        items=(),
        length=2700,
    )
    rich = replace(ONE, media=replace(ONE.media, content_id="http://x/1"))
    room = Room()
    room.play(0, poor, 0)
    room.play(30, rich, 30)
    room.play(60, poor, 60)
    room.play(90, rich, 90)
    assert room.told == [(START, "one", 1)]
    assert room.view().viewing == "viewing 0"
    # another one that is described as poorly at first
    room.play(
        2650, replace(poor, media=replace(poor.media, content_id="http://x/2")), 0
    )
    room.wait(2660)
    assert room.told[1:] == [(WATCHED, "one", 98)]


def test_late_attributes_correct_it() -> None:
    """What was taken for a movie turns out to be an episode, and stays that."""
    media = Media(kind=MediaKind.VIDEO, title="x", content_id="9")
    poor = replace(FILM, media=media, length=2700.0, runtime=2700.0)
    rich = replace(ONE, media=replace(ONE.media, content_id="9"))
    room = Room()
    room.play(0, poor, 0)
    room.play(30, rich, 30)
    room.play(60, poor, 60)
    room.play(90, rich, 90)
    assert room.told == [(START, "film", 1), (START, "one", 1)]
    room.end(2700)
    room.wait(2800)
    assert room.told[2:] == [(WATCHED, "one", 100)]


def test_another_number_is_another_episode() -> None:
    """Some players call everything they play the same."""
    room = Room()
    for number, title in enumerate((ONE, TWO)):
        media = replace(title.media, content_id="video")
        room.play(number * 2680, replace(title, media=media), 0)
    room.wait(2700)
    assert room.told == [(START, "one", 1), (WATCHED, "one", 99), (START, "two", 1)]


def test_clip_of_a_movie() -> None:
    """Too short for what it names: the trailer, perhaps. It ends nothing, and nothing is told of it."""
    trailer = replace(FILM, length=150.0, runtime=7200.0)
    room = Room()
    room.play(0, trailer, 0)
    room.end(149)
    room.wait(200)
    assert room.told == []
    room.play(300, FILM, 0)
    room.play(1020, trailer, 0)
    room.play(1170, FILM, 720)
    room.wait(1200)
    assert room.told == [(START, "film", 0)]
    assert room.view().duration == 7200


def test_first_seen_as_something_longer() -> None:
    """A player still shows the length of what it played before."""
    room = Room()
    room.play(0, ONE, 10000, length=10212)
    room.play(1, ONE, 0)
    room.wait(30)
    assert room.told == [(START, "one", 1)]
    assert room.view().duration == 2700


@pytest.mark.parametrize(
    ("length", "ids", "told"),
    [(90, True, False), (150, True, True), (150, False, False), (310, False, True)],
)
def test_short_things(length: float, ids: bool, told: bool) -> None:
    """Where no running time is known, something short is an item only if it is well named."""
    name = movie("x").media.ids if ids else Ids()
    media = Media(kind=MediaKind.MOVIE, title="x", ids=name)
    title = Title(
        name="x", media=media, items=(Movie(title="x"),), length=length, runtime=None
    )
    room = Room()
    room.play(0, title, 0)
    room.wait(60)
    assert bool(room.told) is told


def test_short_by_its_runtime() -> None:
    media = Media(kind=MediaKind.MOVIE, title="x")
    title = Title(
        name="x", media=media, items=(Movie(title="x"),), length=90, runtime=91
    )
    room = Room()
    room.play(0, title, 0)
    room.wait(60)
    assert len(room.told) == 1


# several items in one file


def test_two_episodes_in_one_file() -> None:
    """Each is a viewing of its own, with half of the length."""
    room = Room()
    room.play(0, BOTH, 0)
    room.pause(3000, BOTH, 3000)
    room.play(3100, BOTH, 3000)
    room.end(5480)
    room.wait(5600)
    assert [(h.t, *h.brief) for h in room.heard] == [
        (15, START, "one", 1),
        (2700, WATCHED, "one", 100),
        (2715, START, "two", 1),
        (3005, PAUSE, "two", 11),
        (3100, START, "two", 11),
        (5495, WATCHED, "two", 99),
    ]
    assert {h.call.duration for h in room.heard} == {2700}
    assert room.heard[-1].call.position == 2680


def test_seek_into_the_second_episode() -> None:
    room = Room()
    room.play(0, BOTH, 0)
    room.play(100, BOTH, 4000)
    room.play(200, BOTH, 1000)
    room.wait(220)
    assert room.told == [
        (START, "one", 1),
        (STOP, "one", 4),
        (START, "two", 49),
        (STOP, "two", 52),
        (START, "one", 38),
    ]


def test_estimate_ahead_of_the_second_episode() -> None:
    """A report from just before the boundary is no way back."""
    room = Room()
    room.play(0, BOTH, 0)
    room.play(2705, BOTH, 2698)
    room.wait(2800)
    assert room.told[1:] == [(WATCHED, "one", 100), (START, "two", 1)]


def test_two_episodes_known_late() -> None:
    """What was played before it was known that there are two counts, if it was played."""
    room = Room(identify=False)
    room.play(0, BOTH, 0)
    room.wait(4000)
    room.resolve(BOTH)
    room.end(5400)
    room.wait(5500)
    assert room.told == [
        (WATCHED, "one", 100),
        (START, "two", 48),
        (WATCHED, "two", 100),
    ]
    assert len({heard.call.viewing for heard in room.heard}) == 3 - 1


def test_two_episodes_known_late_and_skipped() -> None:
    room = Room(identify=False)
    room.play(0, BOTH, 0)
    room.play(100, BOTH, 4000)
    room.wait(200)
    room.resolve(BOTH)
    room.wait(201)
    assert room.told == [(START, "two", 52)]


def test_one_episode_after_all() -> None:
    room = Room()
    room.play(0, BOTH, 0)
    room.play(100, BOTH, 4000)
    room.wait(150)
    assert TWO.items
    room.resolve(BOTH, Resolution(items=TWO.items, runtime=5400))
    room.wait(200)
    assert room.view().item == TWO.items[0]
    assert room.view().position == pytest.approx(4100)
    assert room.view().duration == 5400


def test_several_items_of_unknown_length() -> None:
    title = replace(BOTH, length=None, runtime=None)
    room = Room()
    room.play(0, title, 0)
    room.end(9000)
    room.wait(9100)
    assert room.told == [(START, "one", None), (STOP, "one", None)]


# back to the start


def test_finished_and_reset() -> None:
    """A player that ends goes back to 0, and stays there: it was seen to the end."""
    for state in (PlayerState.PAUSED, PlayerState.IDLE):
        room = Room()
        room.play(0, FILM, 0)
        room.play(7100, FILM, 0)
        room.play(7101, FILM, 0, state)
        room.wait(9000)
        assert room.told[1:] == [(WATCHED, "film", 99)]


def test_jumps_to_the_start_and_back() -> None:
    """A report of 0 that is taken back at once means nothing."""
    room = Room()
    room.play(0, FILM, 0)
    room.play(6600, FILM, 0)
    room.play(6605, FILM, 6605)
    room.end(6700)
    room.wait(6800)
    assert room.told[1:] == [(WATCHED, "film", 93)]


def test_twice_to_the_start() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.play(7000, FILM, 0)
    room.play(7012, FILM, 0)
    room.wait(7100)
    assert room.told[1:] == [(WATCHED, "film", 97), (START, "film", 0)]


def test_from_the_start_before_it_was_latched() -> None:
    """Back from 91 percent: the person has not seen the end, and does not want to."""
    room = Room()
    room.play(0, FILM, 0)
    room.play(6600, FILM, 0)
    room.end(7000)
    room.wait(7100)
    assert room.told[1:] == [(START, "film", 0), (STOP, "film", 6)]
    assert len({heard.call.viewing for heard in room.heard}) == 1


def test_back_in_steps() -> None:
    """Once latched, back to the start in steps begins anew as well."""
    room = Room()
    room.play(0, FILM, 0)
    room.play(7000, FILM, 3600)
    room.play(7050, FILM, 100)
    room.wait(7100)
    assert room.told[1:] == [
        (START, "film", 50),
        (WATCHED, "film", 97),
        (START, "film", 2),
    ]
    position = room.heard[2].call.position
    assert position == 7000


# the wall clock


def test_dates_from_before_a_clock_change() -> None:
    """The wall clock was set right: how old a date from before is, nobody knows."""
    room = Room()
    room.play(0, ONE, 0)
    room.end(10)
    room.set_clock(20, -5 * 3600)
    room.play(100, FILM, 600, player="bed", dated=-400)
    room.wait(120)
    assert room.view("bed").position == 620


def test_a_clock_that_runs_back() -> None:
    """Time never runs back, whatever one is told."""
    room = Room()
    room.play(0, FILM, 0)
    room.wait(100)
    room.t = 50
    room.pause(50, FILM, 100)
    assert room.view().position == 100


def test_watched_at_is_wall_time() -> None:
    room = Room()
    room.play(0, FILM, 0)
    room.set_clock(100, 7200)
    room.end(7000)
    room.wait(7100)
    call = room.heard[-1].call
    assert call.at == room.wall(7010)
    assert call.at - call.started_at == timedelta(seconds=7010 + 7200)
