"""What was just written stays on screen until the service itself tells it."""

from __future__ import annotations

import pytest

from custom_components.up_next.coordinator import AccountCoordinator
from custom_components.up_next.library import ShowDetail
from custom_components.up_next.media import Season
from custom_components.up_next.trackers.trakt import reading
from custom_components.up_next.writes import MarkUnwatched, MarkWatched, SetWatchlisted
from simulators.trakt import Trakt

from .accounts import coordinator_of
from .home import Home, unseen_movie


@pytest.fixture(autouse=True)
def rests(house: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait after a write as long as with the real service."""
    monkeypatch.setattr(reading, "REST_AFTER_WRITE", 8.0)


async def begin_minute(home: Home) -> None:
    """Go to the beginning of a minute: the service tells the time of changes in whole minutes."""
    now = home.clock.now()
    await home.wait(180 - now.second - now.microsecond / 1e6)


async def lagging_season(account: AccountCoordinator) -> tuple[Season, ShowDetail]:
    """Return a season with something left to watch, of a show that was watched in another season, too."""
    for row in account.data.library.shows.values():
        following = row.next_episode
        if not row.left or following is None:
            continue
        detail = await account.async_detail(row.show.ids)
        if any(
            e.watched and e.episode.season not in (0, following.season)
            for e in detail.episodes
        ):
            return Season(show=row.show, number=following.season), detail
    raise AssertionError("there is none")


@pytest.mark.parametrize("stale", [0, 7, 9])
@pytest.mark.parametrize("after", [3, 12, 40])
async def test_a_season_marked_and_unmarked_within_a_minute(
    home: Home, stale: int, after: int
) -> None:
    """Markers move once a minute, and progress is out of date for some seconds (`stale`): neither is to be seen."""
    service, entry = await home.sign_in(Trakt)
    account = coordinator_of(entry)
    await begin_minute(home)
    season, detail = await lagging_season(account)
    episodes = detail.aired(home.clock.now(), season.number)
    left = sum(not e.watched for e in episodes)
    before = service.state()["unwatched"]
    service.account.stale = stale

    mark = MarkWatched(item=season, watched_at=home.clock.now())
    await account.async_put([mark], detail)
    shown: set[int] = set()
    account.async_add_listener(lambda: shown.add(account.data.overview.unwatched))
    await home.wait(after)
    assert shown == {before - left}

    known = await account.async_detail(season.show.ids)
    await account.async_put([MarkUnwatched(item=season)], known)
    shown.clear()
    await home.wait(180)
    assert shown == {before - left + len(episodes)}
    assert service.state()["unwatched"] == before - left + len(episodes)
    assert not account.unconfirmed


async def test_listed_and_taken_off_within_a_minute(home: Home) -> None:
    service, entry = await home.sign_in(Trakt)
    account = coordinator_of(entry)
    await begin_minute(home)
    movie = unseen_movie(entry)
    before = len(account.data.library.watchlist)
    shown: set[int] = set()
    account.async_add_listener(lambda: shown.add(len(account.data.library.watchlist)))
    await account.async_put([SetWatchlisted(item=movie, listed=False)])
    shown.clear()
    await home.wait(15)
    assert shown == {before - 1}
    await account.async_put([SetWatchlisted(item=movie, listed=True)])
    shown.clear()
    await home.wait(15)
    # something else is new meanwhile
    service.play(movie=int(service.catalogue.movies[0].ids["trakt"]))
    await account.async_refresh()
    await home.wait(5)
    assert shown == {before}
