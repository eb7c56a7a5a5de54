"""How often a service is read while our own players play what it would tell us about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from homeassistant.const import STATE_OFF, STATE_ON
from simulators.service import Service
from simulators.trakt import Trakt
from simulators.trakt_v1 import TraktV1

from ..accounts import coordinator_of
from ..home import Home, next_episode, told, unseen_movie

TWO_HOURS = 7200.0


def reads(service: Service) -> int:
    """Return how often a service was read."""
    return sum(r.method == "GET" and r.path != "/scrobble" for r in service.requests)


@pytest.mark.parametrize("minutes_ago", [5, 120])
async def test_a_film_of_two_hours(home: Home, minutes_ago: int) -> None:
    """What we tell Trakt ourselves need not be asked back, however much was watched before."""
    service, account = await home.sign_in(Trakt)
    earlier = service.catalogue.movies[0]
    service.account.add_play(earlier, None, service.clock.now())
    await home.wait(minutes_ago * 60)
    tv, _ = await home.feed(account)
    film = replace(unseen_movie(account), runtime=int(TWO_HOURS))
    service.requests.clear()
    tv.play(film)
    await home.wait(30)
    assert service.account.watching
    await home.wait(TWO_HOURS - 30)
    assert reads(service) <= 60
    assert home.shows(account) == (film.label, STATE_ON)

    # when it is over the library is read, at once
    service.requests.clear()
    watched = int(home.house.value(account, "watched_movies"))
    tv.stop()
    await home.wait(30)
    assert ("stop", 100) in told(service)
    assert home.house.value(account, "watched_movies") == str(watched + 1)
    assert coordinator_of(account).unconfirmed == []
    # one that was due anyway may come on top
    assert 1 <= service.count("/sync/last_activities") <= 2
    assert home.shows(account) == ("nothing", STATE_OFF)


async def test_what_another_device_plays_is_asked_for_often(home: Home) -> None:
    service, account = await home.sign_in(Trakt)
    tv, _ = await home.feed(account)
    service.play(movie=int(service.catalogue.movies[0].ids["trakt"]))
    await home.wait(400)
    assert home.shows(account)[1] == STATE_ON
    service.requests.clear()
    await home.wait(600)
    assert service.count("/users/me/watching") >= 18

    # our own player takes over, and when it is off the other device again
    film = replace(unseen_movie(account), runtime=int(TWO_HOURS))
    tv.play(film)
    await home.wait(1200)
    assert home.shows(account)[0] == film.label
    tv.stop()
    await home.wait(15)
    other = service.catalogue.movies[1]
    service.play(movie=int(other.ids["trakt"]))
    await home.wait(60)
    assert home.shows(account) == (f"{other.title} ({other.year})", STATE_ON)
    service.requests.clear()
    await home.wait(600)
    assert service.count("/users/me/watching") >= 18


async def test_an_end_that_nobody_has_to_be_told_of(home: Home) -> None:
    """A film that was paused until its viewing is over: what plays elsewhere is known soon all the same."""
    service, account = await home.sign_in(Trakt)
    tv, _ = await home.feed(account)
    film = replace(unseen_movie(account), runtime=int(TWO_HOURS))
    tv.play(film)
    await home.wait(600)
    tv.pause(film, 600)
    await home.wait(60)
    tv.stop()
    await home.wait(3)
    service.requests.clear()
    await home.wait(60)
    assert told(service) == []
    assert service.count("/users/me/watching") >= 1


async def test_an_old_server(home: Home) -> None:
    service, account = await home.sign_in(TraktV1)
    tv, _ = await home.feed(account)
    episode = replace(next_episode(account), runtime=int(TWO_HOURS))
    service.requests.clear()
    tv.play(episode)
    await home.wait(TWO_HOURS)
    assert reads(service) <= 60
    assert home.shows(account)[1] == STATE_ON
