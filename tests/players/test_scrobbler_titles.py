"""When titles are identified, and how often: once, and again when there is a reason to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.up_next.const import DOMAIN
from custom_components.up_next.media import Movie
from custom_components.up_next.players import identifying, scrobbler as scrobbler_module
from custom_components.up_next.players.events import EVENT_SCROBBLE
from custom_components.up_next.scrobbling.identify import (
    CatalogueUnavailable,
    Certainty,
    Identification,
    Method,
    identify,
)
from custom_components.up_next.scrobbling.observation import Media
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant
from simulators.service import Fault
from simulators.trakt import Trakt

from ..home import Home, Player, mapping, next_episode, scrobble, told, unseen_movie

MINUTE = 60.0

type Identify = Callable[..., Awaitable[Identification]]


class Asked:
    """Counts what is identified; may be made to wait, or to fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.titles: list[tuple[str, float | None]] = []
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None
        monkeypatch.setattr(scrobbler_module, "identify", self.identify)

    async def identify(
        self, media: Media, duration: float | None, *more: Any
    ) -> Identification:
        self.titles.append((media.title, duration))
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return await identify(media, duration, *more)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


async def act(hass: HomeAssistant, action: str, **data: Any) -> Any:
    return await hass.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True
    )


# how often ------------------------------------------------------------------------------------------------------------


async def test_known_title_is_not_identified_again(home: Home, asked: Asked) -> None:
    _, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, _ = await home.feed(account)
    for second in range(0, 200, 10):
        tv.play(movie, second)
        await home.wait(10)
    tv.stop()
    await home.wait(5 * MINUTE)
    tv.play(movie, 600)
    await home.wait(MINUTE)
    assert len(asked.titles) == 1


async def test_length_comes_late(home: Home, asked: Asked) -> None:
    """Without a length, a film's name is no proof; it is asked about anew, though that was being done."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    asked.gate = asyncio.Event()
    tv.play(movie, media_duration=None)
    await home.wait(1)
    tv.play(movie, 1)
    await home.wait(1)
    assert home.playback(entry).state == "identifying"
    asked.gate.set()
    await home.settle()
    assert [duration for _, duration in asked.titles] == [None, movie.runtime]
    assert home.playback(entry).state == "playing"
    await home.wait(20)
    assert told(service) == [("start", 0)]


async def test_what_grows_all_the_time(home: Home, asked: Asked) -> None:
    """A recording that is still under way has another length every time: it is not looked up every time."""
    service, account = await home.sign_in(Trakt)
    tv, _ = await home.feed(account)
    for second in range(600):
        tv.report(
            "playing",
            media_content_type="movie",
            media_title="Nobody has heard of it",
            media_duration=1000 + 30 * second,
        )
        await home.wait(1)
    assert 4 <= len(asked.titles) <= 16
    assert told(service) == []


async def test_two_reports_at_once(home: Home, asked: Asked) -> None:
    """What was asked about is over before the answer comes: the answer is for that title, not for the next."""
    service, account = await home.sign_in(Trakt)
    movie, episode = unseen_movie(account), next_episode(account)
    tv, entry = await home.feed(account)
    asked.gate = asyncio.Event()
    tv.play(movie)
    tv.play(episode)
    tv.play(movie)
    tv.play(episode)
    await home.wait(30)
    assert len(asked.titles) == 2
    assert told(service) == []
    asked.gate.set()
    await home.wait(1)
    assert home.playback(entry).attributes["label"] == episode.label
    assert [what for what, _ in told(service)] == ["start"]
    assert service.account.watching is not None
    assert service.account.watching.episode is not None


async def test_answer_after_the_end(home: Home, asked: Asked) -> None:
    """It was watched while it was being looked up: it counts when that is done."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    before = len(service.account.plays)
    tv, _ = await home.feed(account)
    events = async_capture_events(home.hass, EVENT_SCROBBLE)
    asked.gate = asyncio.Event()
    tv.play(movie)
    assert movie.runtime is not None
    await home.wait(movie.runtime - 60)
    tv.stop()
    await home.wait(MINUTE)
    assert told(service) == []
    assert not events
    asked.gate.set()
    await home.wait(15 * MINUTE)
    assert len(service.account.plays) == before + 1


async def test_answer_after_the_player_was_removed(home: Home, asked: Asked) -> None:
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    asked.gate = asyncio.Event()
    tv.play(movie)
    await home.wait(MINUTE)
    home.hass.config_entries.async_remove_subentry(entry, next(iter(entry.subentries)))
    asked.gate.set()
    await home.wait(MINUTE)
    assert told(service) == []
    assert home.shows(account) == ("nothing", STATE_OFF)


async def test_unloaded_meanwhile(home: Home, asked: Asked) -> None:
    """Neither an answer nor another try comes after the end."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    asked.gate = asyncio.Event()
    tv.play(movie)
    await home.settle()
    assert await home.hass.config_entries.async_unload(entry.entry_id)
    asked.gate.set()
    await home.wait(MINUTE)
    asked.gate, asked.error = None, CatalogueUnavailable("down")
    assert await home.hass.config_entries.async_setup(entry.entry_id)
    await home.settle()
    count = len(asked.titles)
    assert await home.hass.config_entries.async_unload(entry.entry_id)
    await home.wait(60 * MINUTE)
    assert len(asked.titles) == count
    assert told(service) == []


async def test_account_is_mapped_while_a_title_is_looked_up(
    home: Home, asked: Asked
) -> None:
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed()
    asked.gate = asyncio.Event()
    tv.play(movie)
    await home.wait(5)
    (subentry,) = entry.subentries.values()
    home.hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, "accounts": [account.unique_id]}
    )
    await home.wait(5)
    asked.gate.set()
    await home.wait(20)
    assert home.shows(account) == (movie.label, STATE_ON)
    assert told(service) == [("start", 0)]
    assert len(asked.titles) == 1


async def test_titles_are_forgotten_in_time(
    home: Home, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identifying, "REMEMBERED", 3)
    _, account = await home.sign_in(Trakt)
    episode = next_episode(account)
    tv, entry = await home.feed(account)

    async def play(number: int) -> None:
        tv.play(replace(episode, number=number))
        await home.wait(1)

    for number in range(1, 6):
        await play(number)
    assert len(asked.titles) == 5
    await play(5)
    await play(3)
    assert len(asked.titles) == 5
    await play(1)
    assert len(asked.titles) == 6
    assert home.playback(entry).attributes["episode"] == 1


# when it can't be done ------------------------------------------------------------------------------------------------


async def test_less_and_less_often(home: Home, asked: Asked) -> None:
    """As long as it plays."""
    _, account = await home.sign_in(Trakt)
    tv, entry = await home.feed(account)
    asked.error = CatalogueUnavailable("down")
    tv.play(unseen_movie(account))
    counts = []
    for _ in range(4):
        await home.wait(15 * MINUTE)
        counts.append(len(asked.titles))
    assert counts == [4, 6, 7, 9]
    assert home.playback(entry).state == "identifying"
    tv.stop()
    await home.wait(60 * MINUTE)
    # the play itself is looked after elsewhere
    assert len(asked.titles) <= 11


async def test_another_account_can_be_asked(home: Home, asked: Asked) -> None:
    """One that comes back is asked at once."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    asked.error = CatalogueUnavailable("down")
    tv.play(movie)
    await home.wait(10 * MINUTE)
    asked.error = None
    assert await home.hass.config_entries.async_reload(account.entry_id)
    await home.settle()
    assert home.playback(entry).state == "playing"
    assert [what for what, _ in told(service)] == ["start"]


async def test_what_is_over_is_not_asked_about(home: Home, asked: Asked) -> None:
    """Glanced at, and gone."""
    _, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    asked.error = CatalogueUnavailable("down")
    tv.play(movie)
    await home.wait(5)
    tv.stop()
    await home.wait(60 * MINUTE)
    assert len(asked.titles) == 1
    # played once more, it is asked about at once
    asked.error = None
    tv.play(movie)
    await home.settle()
    assert home.playback(entry).state == "playing"


async def test_unforeseen_error(
    home: Home, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    _, account = await home.sign_in(Trakt)
    tv, entry = await home.feed(account)
    asked.error = ValueError("what is this?")
    tv.play(unseen_movie(account))
    await home.settle()
    assert "Identifying a title failed" in caplog.text
    asked.error = None
    await home.wait(2 * MINUTE)
    assert home.playback(entry).state == "playing"


async def test_nobody_can_be_asked_yet(home: Home) -> None:
    """Accounts that are not running may know it: what none of them could be asked is no miss for a day."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    assert await home.hass.config_entries.async_unload(account.entry_id)
    tv, entry = await home.feed(account)
    tv.play(movie)
    await home.wait(5 * MINUTE)
    assert home.playback(entry).state == "identifying"
    assert await home.hass.config_entries.async_setup(account.entry_id)
    await home.wait(1)
    assert home.playback(entry).state == "playing"
    assert [what for what, _ in told(service)] == ["start"]


async def test_signed_out(home: Home) -> None:
    """A service that has signed us out can't be asked, which is no answer."""
    service, account = await home.sign_in(Trakt)
    tv, entry = await home.feed(account)
    service.faults.append(Fault("status", "POST /oauth/token", status=400, times=99))
    service.revoke_tokens()
    await home.wait(20 * MINUTE)
    tv.report(
        "playing",
        media_content_type="movie",
        media_title="Nobody has heard of it",
        media_duration=6000,
    )
    await home.wait(MINUTE)
    assert home.playback(entry).state == "identifying"
    for flow in home.hass.config_entries.flow.async_progress():
        home.hass.config_entries.flow.async_abort(flow["flow_id"])


# what a person says ---------------------------------------------------------------------------------------------------


def unknown(home: Home, tv: Player) -> None:
    tv.report(
        "playing",
        media_content_type="movie",
        media_title="Nobody has heard of it",
        media_duration=6600,
        media_position=0,
        media_position_updated_at=home.clock.now(),
    )


async def test_decided_while_it_plays(home: Home) -> None:
    """What waited for a word is told at once."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    unknown(home, tv)
    await home.wait(10 * MINUTE)
    assert home.playback(entry).state == "needs_decision"
    await act(
        home.hass,
        "resolve_match",
        player=tv.entity_id,
        type="movie",
        title=movie.title,
        year=movie.year,
    )
    await home.settle()
    state = home.playback(entry)
    assert state.state == "playing"
    assert state.attributes["match_method"] == "correction"
    assert home.shows(account) == (movie.label, STATE_ON)
    assert [what for what, _ in told(service)] == ["start"]


async def test_decided_while_no_service_answers(home: Home, asked: Asked) -> None:
    """A person's word needs nobody to be asked, and does not wait for the next try."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    asked.error = CatalogueUnavailable("down")
    unknown(home, tv)
    await home.wait(20)
    asked.error = None
    await act(
        home.hass,
        "resolve_match",
        player=tv.entity_id,
        type="movie",
        title=movie.title,
        year=movie.year,
    )
    await home.settle()
    assert home.playback(entry).state == "playing"
    assert [what for what, _ in told(service)] == ["start"]


async def test_ignored_while_it_plays(home: Home) -> None:
    """It ends for the account, and is nothing to be scrobbled from then on."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    events = async_capture_events(home.hass, EVENT_SCROBBLE)
    tv.play(movie)
    await home.wait(10 * MINUTE)
    assert [what for what, _ in told(service)] == ["start"]
    await act(home.hass, "resolve_match", player=tv.entity_id, ignore=True, move=False)
    await home.wait(5)
    assert [what for what, _ in told(service)] == ["start", "stop"]
    assert home.playback(entry).state == "ignored"
    assert home.shows(account) == ("nothing", STATE_OFF)
    assert movie.runtime is not None
    await home.wait(movie.runtime - 11 * MINUTE)
    tv.stop()
    await home.wait(20 * MINUTE)
    assert [what for what, _ in told(service)] == ["start", "stop"]
    assert [event.data["action"] for event in events] == ["started", "stopped"]


async def test_whole_show_is_corrected_while_it_plays(home: Home) -> None:
    """Two players show episodes of one show: a word on the show is one on both."""
    service, account = await home.sign_in(Trakt)
    episode = next_episode(account)
    show = service.catalogue.find_show(dict(episode.show.ids.values))
    other = next(
        s for s in service.catalogue.shows if s is not show and s.episode(1, 2)
    )
    tv, bed = home.player("tv", "plex"), home.player("bed", "plex")
    entry = await scrobble(home.hass, mapping(tv, account), mapping(bed, account))
    tv.play(replace(episode, season=1, number=1, title=None))
    bed.play(replace(episode, season=1, number=2, title=None))
    await home.wait(20)
    await act(
        home.hass,
        "resolve_match",
        player=tv.entity_id,
        type="episode",
        title=other.title,
        season=1,
        episode=1,
        whole_show=True,
    )
    await home.wait(20)
    for index, number in enumerate((1, 2)):
        attributes = home.playback(entry, index).attributes
        assert (attributes["show"], attributes["episode"]) == (other.title, number)


# identified otherwise than expected -----------------------------------------------------------------------------------


async def test_too_short_to_be_what_it_is_called(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from custom_components.up_next.scrobbling.observation import Ignored

    async def short(media: Media, duration: float | None, *_: Any) -> Identification:
        return Identification(
            media=media,
            duration=duration,
            items=(Movie(title="Heat"),),
            certainty=Certainty.SURE,
            method=Method.SEARCH,
            ignored=Ignored.TOO_SHORT,
        )

    monkeypatch.setattr(scrobbler_module, "identify", short)
    service, account = await home.sign_in(Trakt)
    tv, entry = await home.feed(account)
    events = async_capture_events(home.hass, EVENT_SCROBBLE)
    unknown(home, tv)
    await home.wait(6500)
    state = home.playback(entry)
    assert (state.state, state.attributes["reason"]) == ("ignored", "too_short")
    tv.stop()
    await home.wait(MINUTE)
    assert told(service) == []
    assert not events
    scrobbler = entry.runtime_data
    assert not scrobbler.matches.plays


def test_entry_is_told_apart() -> None:
    assert scrobbler_module.is_scrobbling(MockConfigEntry(unique_id="scrobbling"))
    assert not scrobbler_module.is_scrobbling(MockConfigEntry(unique_id="trakt:1"))
