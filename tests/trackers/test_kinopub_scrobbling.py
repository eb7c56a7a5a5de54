"""KinoPub: what it is told of a playback, against the simulator over real HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from custom_components.up_next.account import Capability
from custom_components.up_next.media import Episode, Ids, Movie, Playable, Show
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    RateLimited,
    SignInRequired,
    Unavailable,
    Unsure,
)
from custom_components.up_next.trackers.kinopub.scrobbling import episode_of as found_in
from custom_components.up_next.trackers.kinopub.wire import Item as WireItem
from custom_components.up_next.writes import (
    CheckIn,
    Outcome,
    Receipt,
    RemovePlays,
    Scrobble,
    ScrobbleAction,
)
from simulators.catalogue import CatalogueEpisode, CatalogueShow
from simulators.kinopub.items import Item
from simulators.service import Fault

from .kinopub_account import Account, episode_of, movie_of, show_of, sign_in

type Start = Callable[..., Awaitable[Account]]
START, PAUSE, STOP, WATCHED = ScrobbleAction


@pytest.fixture
def start(serve: Any, make_context: Any, tokens: Any) -> Start:
    async def start(**arguments: Any) -> Account:
        return await sign_in(serve, make_context, tokens, **arguments)

    return start


@pytest.fixture
async def account(start: Start) -> Account:
    return await start(shows=40, movies=40)


def scrobble(
    account: Account, item: Playable, action: ScrobbleAction, **more: Any
) -> Scrobble:
    """Return what a player did just now, in a viewing that began an hour ago."""
    now = account.sim.clock.now()
    told: dict[str, Any] = {
        "viewing": "one",
        "at": now,
        "started_at": now - timedelta(hours=1),
    }
    return Scrobble(item=item, action=action, **(told | more))


async def tell(
    account: Account, item: Playable, action: ScrobbleAction, **more: Any
) -> Receipt:
    account.sim.requests.clear()
    (receipt,) = await account.send(scrobble(account, item, action, **more))
    return receipt


def paths(account: Account) -> list[str]:
    """Return what was asked below /v1/watching; what only asks has no name there."""
    return [r.path.partition("/v1/watching")[2] for r in account.sim.requests]


def changes(account: Account) -> list[dict[str, str]]:
    names = ("/v1/watching/marktime", "/v1/watching/toggle")
    return [r.query for r in account.sim.requests if r.path in names]


def something(account: Account) -> tuple[CatalogueShow, CatalogueEpisode, Episode]:
    show = account.begun(left=2)
    episode = account.next_of(show)
    return show, episode, episode_of(show, episode)


def mark(account: Account, show: CatalogueShow, episode: CatalogueEpisode) -> Any:
    key = int(show.ids["kinopub"])
    return account.sim.viewing.mark(key, episode.season, episode.number)


# positions --------------------------------------------------------------------------------------------------


async def test_what_it_wants_to_hear(account: Account) -> None:
    tracker = account.tracker
    _, _, item = something(account)
    assert not tracker.rhythm.starts and not tracker.rhythm.seeks
    assert tracker.may & Capability.SCROBBLE and not tracker.may & Capability.CHECK_IN
    assert (await account.refresh()).account.can & Capability.SCROBBLE
    writes = [scrobble(account, item, action) for action in ScrobbleAction]
    for write in writes:
        assert tracker.combine([write, *writes]) == 1
    receipt = await tell(account, item, START, position=5)
    assert receipt == Receipt(outcome=Outcome.ALREADY)
    assert account.sim.requests == []
    (receipt,) = await account.send(CheckIn(item=item))
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "not_supported")


@pytest.mark.parametrize("action", [PAUSE, STOP])
async def test_a_position_is_kept(account: Account, action: ScrobbleAction) -> None:
    show, episode, item = something(account)
    receipt = await tell(account, item, action, position=600.9, progress=12)
    assert receipt == Receipt(outcome=Outcome.DONE)
    assert changes(account) == [
        {
            "id": str(show.ids["kinopub"]),
            "season": str(episode.season),
            "video": str(episode.number),
            "time": "600",
        }
    ]
    assert len(account.sim.requests) == 2
    assert (mark(account, show, episode).time, mark(account, show, episode).status) == (
        600,
        0,
    )
    # only a percentage: KinoPub knows the length
    await tell(account, item, action, progress=50)
    assert mark(account, show, episode).time == episode.runtime // 2
    # told again, there is nothing to change
    receipt = await tell(account, item, action, progress=50)
    assert (receipt.outcome, changes(account)) == (Outcome.ALREADY, [])
    for nothing in ({}, {"position": 0.4}, {"progress": 0.0}):
        receipt = await tell(account, item, action, **nothing)
        assert (receipt.outcome, changes(account)) == (Outcome.ALREADY, [])
    assert mark(account, show, episode).time == episode.runtime // 2


async def test_lengths(account: Account) -> None:
    show, episode, item = something(account)
    source = account.sim.item(show=int(show.ids["trakt"]))
    video = source.video(episode.season, episode.number, account.sim.clock.now())
    assert video is not None
    video.duration = 0
    receipt = await tell(account, item, STOP, progress=50)
    assert (receipt.outcome, changes(account)) == (Outcome.ALREADY, [])
    await tell(account, replace(item, runtime=1000), STOP, progress=50)
    assert mark(account, show, episode).time == 500


async def test_what_is_watched_is_left_as_it_is(account: Account) -> None:
    show = account.begun()
    account.sim.watch(int(show.ids["trakt"]), 1, 1)
    item = Episode(show=show_of(show), season=1, number=1)
    before = replace(account.sim.viewing.mark(int(show.ids["kinopub"]), 1, 1))
    account.sim.clock.advance(1800)
    for action in (PAUSE, STOP, WATCHED):
        receipt = await tell(account, item, action, position=600, rewatch=True)
        assert receipt.outcome is Outcome.ALREADY and receipt.plays == ()
        assert paths(account) == [""], "looked at, not changed"
    assert account.sim.viewing.mark(int(show.ids["kinopub"]), 1, 1) == before


async def test_what_was_watched_on_elsewhere_meanwhile_is_kept(
    account: Account,
) -> None:
    show, episode, item = something(account)
    late = scrobble(account, item, STOP, position=300)
    account.sim.clock.advance(3600)
    numbers = {
        "show": show.ids["trakt"],
        "season": episode.season,
        "number": episode.number,
    }
    account.sim.start_watching(numbers, 1200)
    (receipt,) = await account.send(late)
    assert receipt.outcome is Outcome.ALREADY
    assert mark(account, show, episode).time == 1200


async def test_a_movie_in_parts(account: Account) -> None:
    item = next(i for i in account.sim.viewing.items.values() if i.subtype == "multi")
    assert item.movie is not None
    one, two = item.videos(account.sim.clock.now())
    for number in (1, 2):
        account.sim.viewing.set_watched((item.id, 0, number), watched=False)
    movie = movie_of(account, int(item.movie.ids["trakt"]))
    times = account.sim.viewing.mark
    await tell(account, movie, PAUSE, position=100)
    assert times(item.id, 0, 1).time == 100
    await tell(account, movie, PAUSE, position=one.duration + 200)
    assert (times(item.id, 0, 1).time, times(item.id, 0, 2).time) == (100, 200)
    await tell(account, movie, STOP, progress=75)
    assert times(item.id, 0, 2).time == pytest.approx(two.duration / 2, abs=1)
    assert "season" not in changes(account)[0]
    receipt = await tell(account, movie, WATCHED)
    assert receipt.outcome is Outcome.DONE and len(receipt.plays) == 1
    assert [c["video"] for c in changes(account)] == ["1", "2"]
    assert account.sim.viewing.status(item) == 1


async def test_a_position_that_was_told_is_not_taken_for_playing(
    account: Account,
) -> None:
    library = await account.refresh()
    movie = movie_of(account, 500_035)
    await tell(account, movie, PAUSE, position=900)
    after = await account.refresh(library)
    assert after.watching is None
    assert after.playbacks[0].position == 900


async def test_a_service_that_counts_by_itself(account: Account) -> None:
    # whether it does is not known: either way there is one mark, at the time of watching
    account.sim.viewing.watched_from = 90
    show, episode, item = something(account)
    receipt = await tell(account, item, PAUSE, progress=95)
    assert receipt.outcome is Outcome.DONE
    assert mark(account, show, episode).status == 1
    receipt = await tell(account, item, WATCHED, progress=97)
    assert (receipt.outcome, changes(account)) == (Outcome.ALREADY, [])


# the end ----------------------------------------------------------------------------------------------------


async def test_watched_is_a_mark_with_its_wanted_state(account: Account) -> None:
    show, episode, item = something(account)
    await tell(account, item, STOP, position=600)
    receipt = await tell(account, item, WATCHED, progress=60)
    assert receipt.outcome is Outcome.DONE
    assert changes(account) == [
        {
            "id": str(show.ids["kinopub"]),
            "season": str(episode.season),
            "video": str(episode.number),
            "status": "1",
        }
    ]
    assert len(account.sim.requests) == 2
    (play,) = receipt.plays
    assert play.item.ids.get("kinopub") == str(episode.ids["kinopub"])
    assert receipt.progress is not None
    row = (await account.refresh()).shows[str(show.ids["kinopub"])]
    assert (row.watched, row.seen) == (receipt.progress.watched, receipt.progress.seen)
    # never the other way round
    receipt = await tell(account, item, WATCHED)
    assert (receipt.outcome, changes(account)) == (Outcome.ALREADY, [])
    assert mark(account, show, episode).status == 1
    (receipt,) = await account.send(RemovePlays(item=play.item))
    assert receipt.outcome is Outcome.DONE
    assert mark(account, show, episode).status == -1


async def test_what_was_watched_long_ago_is_marked_too(account: Account) -> None:
    show, episode, item = something(account)
    write = scrobble(account, item, WATCHED)
    account.sim.clock.advance(20 * 86400)
    pair = account.sim.grants.new_pair()
    assert account.store.tokens is not None
    account.store.tokens = replace(
        account.store.tokens,
        access=pair.access,
        refresh=pair.refresh,
        expires_at=account.sim.clock.now() + timedelta(hours=1),
    )
    (receipt,) = await account.send(write)
    assert receipt.outcome is Outcome.DONE
    assert mark(account, show, episode).status == 1
    # the time is that of the mark: KinoPub takes no other
    at = receipt.plays[0].watched_at
    assert at is not None and at - write.at > timedelta(days=19)


async def test_movies_and_what_has_no_seasons(account: Account) -> None:
    movie = movie_of(account, 500_039)
    receipt = await tell(account, movie, WATCHED)
    assert receipt.outcome is Outcome.DONE
    assert "season" not in changes(account)[0]
    show = show_of(account.begun())
    for item in (
        replace(movie, ids=show.ids),
        Episode(show=Show(title="x", ids=movie.ids), season=1, number=1),
    ):
        for action in (PAUSE, STOP, WATCHED):
            receipt = await tell(account, item, action, position=60)
            assert receipt.outcome is Outcome.NOT_FOUND
            assert changes(account) == []


async def test_titles_it_does_not_have(account: Account) -> None:
    show, _, item = something(account)
    strange = Show(title="Nobody knows it", year=1999, ids=Ids.of(imdb="tt1"))
    for missing in (
        replace(item, number=99),
        replace(item, season=77),
        replace(item, show=strange),
        Movie(title="", ids=Ids.of(imdb="tt1")),
    ):
        for action in (PAUSE, STOP, WATCHED):
            receipt = await tell(account, missing, action, position=60)
            assert receipt.outcome is Outcome.NOT_FOUND
            assert changes(account) == []
    found = replace(item, show=show_of(show, native=False))
    receipt = await tell(account, found, STOP, position=60)
    assert receipt.outcome is Outcome.DONE
    assert account.sim.count("/items/search") == 1
    await tell(account, found, WATCHED)
    assert account.sim.count("/items/search") == 0, "remembered"


# specials inside seasons ------------------------------------------------------------------------------------


@pytest.fixture
def shifted(account: Account) -> tuple[Account, CatalogueShow, Item]:
    """Return a show that has a special as the third episode of its first season, at KinoPub only."""
    show = account.fresh()
    item = account.sim.item(show=int(show.ids["trakt"]))
    for episode in show.episodes:
        if episode.season == 1 and episode.number > 2:
            episode.number += 1
    special = replace(
        next(e for e in show.episodes if e.season == 1),
        number=3,
        title="White Christmas",
        ids={"kinopub": 77_000_001},
    )
    show.episodes.append(special)
    show.episodes.sort(key=lambda e: (e.season, e.number))
    item._known = -1
    for video in item.videos(account.sim.clock.now()):
        if (video.season, video.number) == (1, 3):
            video.title = "Белое рождество / White Christmas"
        elif video.season == 1:
            video.title = f"Серия {video.number} / The word for {video.id}"
    return account, show, item


def number_of(account: Account) -> str:
    return changes(account)[0]["season"] + "x" + changes(account)[0]["video"]


async def test_specials_are_found_by_id_or_title_only(
    shifted: tuple[Account, CatalogueShow, Item],
) -> None:
    account, show, _ = shifted
    special = Episode(show=show_of(show), season=0, number=1, title="White Christmas!")
    receipt = await tell(account, special, PAUSE, position=300)
    assert (receipt.outcome, number_of(account)) == (Outcome.DONE, "1x3")
    receipt = await tell(account, special, WATCHED)
    assert (receipt.outcome, number_of(account)) == (Outcome.DONE, "1x3")
    # numbers of specials mean something else everywhere
    for untitled in (None, "S00E01", "Another special"):
        receipt = await tell(account, replace(special, title=untitled), WATCHED)
        assert receipt.outcome is Outcome.NOT_FOUND
    own = replace(special, title=None, ids=Ids.of(kinopub=77_000_001))
    receipt = await tell(account, own, WATCHED)
    assert receipt.outcome is Outcome.ALREADY, "this very one"


async def test_episodes_after_a_special_are_found_by_title(
    shifted: tuple[Account, CatalogueShow, Item],
) -> None:
    account, show, item = shifted
    video = item.video(1, 4, account.sim.clock.now())
    assert video is not None
    # elsewhere it is the third
    third = Episode(show=show_of(show), season=1, number=3)
    titled = replace(third, title=f"The word for {video.id}")
    receipt = await tell(account, titled, WATCHED)
    assert (receipt.outcome, number_of(account)) == (Outcome.DONE, "1x4")
    (play,) = receipt.plays
    assert isinstance(play.item, Episode) and play.item.number == 4
    own = replace(third, ids=Ids.of(kinopub=video.id))
    receipt = await tell(account, own, PAUSE, position=60)
    assert receipt.outcome is Outcome.ALREADY
    # without a title there is nothing but the number; an unknown id is none
    foreign = replace(third, ids=Ids.of(kinopub=1), title="Something else")
    await tell(account, foreign, PAUSE, position=60)
    assert number_of(account) == "1x3"


def test_titles_that_do_not_tell_one_from_another() -> None:
    def video(number: int, title: str) -> dict[str, Any]:
        return {"id": number, "number": number, "title": title, "duration": 60}

    item = WireItem.from_dict(
        {
            "id": 1,
            "seasons": [
                {"number": 1, "episodes": [video(1, "Pilot"), video(2, "Pilot")]},
                {"number": 2, "episodes": [video(1, "Local / Pilot"), video(2, "…")]},
            ],
        }
    )
    show = Show(title="Show")

    def place(season: int, number: int, title: str) -> tuple[int | None, int] | None:
        wanted = Episode(show=show, season=season, number=number, title=title)
        found = found_in(item, wanted)
        return (found[0], found[1].number) if found else None

    assert place(1, 2, "Pilot") == (1, 2)
    assert place(2, 2, "pilot") == (2, 1), "the only one of this name in the season"
    assert place(2, 2, "…") == (2, 2)
    assert place(2, 2, "local") == (2, 1)
    assert place(0, 1, "Pilot") is None
    assert place(3, 1, "Pilot") is None


# faults -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "carried_out"),
    [
        (Fault("lost"), True),
        (Fault("drop"), True),
        (Fault("broken_json"), True),
        (Fault("reset"), False),
        (Fault("empty"), False),
        (Fault("html"), False),
        (Fault("status", status=502), False),
    ],
)
async def test_one_play_in_the_end(
    account: Account, fault: Fault, carried_out: bool
) -> None:
    show, episode, item = something(account)
    write = scrobble(account, item, WATCHED)
    account.sim.faults.append(replace(fault, match="/toggle"))
    with pytest.raises(Unsure):
        await account.send(write)
    assert (mark(account, show, episode).status == 1) is carried_out
    account.sim.clock.advance(30)
    account.sim.requests.clear()
    (receipt,) = await account.send(write, unsure=True)
    assert receipt.outcome is Outcome.DONE and len(receipt.plays) == 1
    assert len(changes(account)) == (not carried_out)
    assert mark(account, show, episode).status == 1


@pytest.mark.parametrize("kind", ["lost", "drop", "reset"])
@pytest.mark.parametrize("action", [PAUSE, STOP])
async def test_positions_may_be_told_twice(
    account: Account, action: ScrobbleAction, kind: str
) -> None:
    show, episode, item = something(account)
    account.sim.faults.append(Fault(kind, "/marktime"))
    write = scrobble(account, item, action, position=600)
    with pytest.raises(Unavailable):
        await account.send(write)
    (receipt,) = await account.send(write, unsure=True)
    assert receipt.outcome in (Outcome.DONE, Outcome.ALREADY)
    assert (mark(account, show, episode).time, mark(account, show, episode).status) == (
        600,
        0,
    )


@pytest.mark.parametrize("action", [PAUSE, STOP, WATCHED])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", status=429), RateLimited),
        (Fault("html", status=403), AccessDenied),
        (Fault("status", status=503), Unavailable),
    ],
)
@pytest.mark.parametrize("where", [r"/watching$", "/(toggle|marktime)"])
async def test_failures_leave_it_to_the_outbox(
    account: Account,
    action: ScrobbleAction,
    fault: Fault,
    error: type[Exception],
    where: str,
) -> None:
    show, episode, item = something(account)
    account.sim.faults.append(replace(fault, match=where, times=3))
    write = scrobble(account, item, action, position=600)
    with pytest.raises(error):
        await account.send(write)
    account.sim.faults.clear()
    (receipt,) = await account.send(write)
    assert receipt.outcome is Outcome.DONE
    assert mark(account, show, episode).status == (action is WATCHED)


async def test_refusals(account: Account) -> None:
    _, _, item = something(account)
    for action, path in ((PAUSE, "/marktime"), (STOP, "/marktime"), (WATCHED, "/togg")):
        for status, outcome in (
            (400, Outcome.REFUSED),
            (404, Outcome.NOT_FOUND),
        ):
            account.sim.faults.append(Fault("status", path, status=status))
            receipt = await tell(account, item, action, position=600)
            assert receipt.outcome is outcome
    body = '{"status":200,"watched":0}'
    account.sim.faults.append(Fault("status", "/toggle", status=200, body=body))
    receipt = await tell(account, item, WATCHED)
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "refused")


async def test_a_token_that_expires_at_that_moment(account: Account) -> None:
    show, episode, item = something(account)
    account.sim.expire_tokens()
    receipt = await tell(account, item, WATCHED)
    assert receipt.outcome is Outcome.DONE
    assert mark(account, show, episode).status == 1
    assert account.sim.count("/oauth2/token") == 1
    account.sim.revoke_tokens()
    with pytest.raises(SignInRequired):
        await tell(account, item, WATCHED)


async def test_an_idle_refresh_still_costs_three_requests(account: Account) -> None:
    library = await account.refresh()
    _, _, item = something(account)
    await tell(account, item, STOP, position=600)
    await tell(account, item, WATCHED)
    library = await account.refresh(library)
    account.asked()
    assert await account.refresh(library) is library
    assert len(account.asked()) == 3
