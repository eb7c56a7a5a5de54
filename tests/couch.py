"""A couch in front of a player whose titles leave questions, and the person there who answers them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.const import DOMAIN
from custom_components.up_next.coordinator import AccountCoordinator
from custom_components.up_next.issues import WAITING_TITLES
from custom_components.up_next.media import Episode, Movie, Playable, Show
from custom_components.up_next.players.deciding import scrobbler_of
from custom_components.up_next.players.matches import WaitingTitle
from custom_components.up_next.players.scrobbler import Scrobbler
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from simulators.catalogue import (
    Catalogue,
    CatalogueEpisode,
    CatalogueMovie,
    CatalogueShow,
)
from simulators.trakt import Trakt

from .accounts import AddAccount, House, Serve
from .flows import Driver
from .home import Player, entity_of, mapping, scrobble
from .travel import Travel

LENGTH = 2400
"""Seconds that a title runs, where nothing else is said."""
BEFORE = frozenset({"idle", "identifying"})
"""Phases in which it is not yet known what plays."""


class Couch:
    """A television (an integration whose titles are not believed, unless said otherwise) and the accounts it feeds."""

    def __init__(self, hass: HomeAssistant, house: House, travel: Travel) -> None:
        self.hass = hass
        self.house = house
        self.travel = travel
        self.player = Player(hass, house.clock, "tv", "cast")
        self.players = [self.player]
        self.entry: MockConfigEntry

    @property
    def scrobbler(self) -> Scrobbler:
        found = scrobbler_of(self.hass)
        assert found is not None
        return found

    @property
    def waiting(self) -> list[WaitingTitle]:
        """Return the titles that wait for a person."""
        return self.scrobbler.matches.waiting

    @property
    def issue(self) -> ir.IssueEntry | None:
        return ir.async_get(self.hass).async_get_issue(DOMAIN, WAITING_TITLES)

    def phase(self, player: Player | None = None) -> str:
        """Return what a player does, as its sensor says."""
        number = self.players.index(player or self.player)
        return entity_of(self.hass, self.entry, index=number).state

    async def look(self, seconds: float = 0) -> None:
        """Let time pass."""
        await self.travel.wait(seconds)

    async def until(self, condition: Callable[[], object], what: object = "") -> None:
        """Let time pass until a condition holds, a few minutes at most."""
        await self.travel.until(condition, 300, what)

    async def wait_for[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Let time pass until something is done, a minute at most."""
        task = self.hass.async_create_task(work)
        await self.until(task.done, work)
        return task.result()

    async def act(self, action: str, /, **data: Any) -> Any:
        """Call an action, and return its answer."""
        call = self.hass.services.async_call(
            DOMAIN, action, data, blocking=True, return_response=True
        )
        return await self.wait_for(call)

    async def later(self, seconds: float) -> None:
        """Come back after a long time."""
        self.travel.skip(seconds - 60)
        await self.look(60)

    async def watch(
        self,
        item: Playable,
        *,
        share: float = 0.98,
        player: Player | None = None,
        **more: Any,
    ) -> datetime:
        """Watch a share of an item, as the player names it; return when it was stopped."""
        player = player or self.player
        player.play(item, **more)
        await self.until(lambda: self.phase(player) not in BEFORE, self.phase(player))
        length = more.get("media_duration") or item.runtime or LENGTH
        await self.look(length * share)
        player.stop()
        stopped = self.house.clock.now()
        await self.look(30)
        return stopped

    async def add(self, name: str, platform: str, *accounts: MockConfigEntry) -> Player:
        """Map another player."""
        player = Player(self.hass, self.house.clock, name, platform)
        await self.map(player, *accounts)
        return player

    async def map(
        self, player: Player, *accounts: MockConfigEntry, **more: Any
    ) -> None:
        """Map a player."""
        data = mapping(player, *accounts, **more)
        subentry = ConfigSubentry(
            data=MappingProxyType(dict(data["data"])),
            subentry_type=data["subentry_type"],
            title=data["title"],
            unique_id=data["unique_id"],
        )
        self.hass.config_entries.async_add_subentry(self.entry, subentry)
        await self.hass.async_block_till_done()
        self.players.append(player)

    async def restart(self) -> None:
        """Set scrobbling up anew, from what is stored."""
        assert await self.hass.config_entries.async_reload(self.entry.entry_id)
        await self.hass.async_block_till_done()

    async def fix(self) -> Driver:
        """Open the repair of the waiting titles."""
        assert await async_setup_component(self.hass, "repairs", {})
        await self.hass.async_block_till_done()
        manager = self.hass.data["repairs"]["flow_manager"]
        driver = Driver(self.hass, manager, f"issues.{WAITING_TITLES}.fix_flow")
        driver.take(await manager.async_init(DOMAIN, data={"issue_id": WAITING_TITLES}))
        return driver


async def make_couch(
    hass: HomeAssistant,
    house: House,
    travel: Travel,
    *accounts: MockConfigEntry,
    **data: Any,
) -> Couch:
    """Map a player to accounts."""
    couch = Couch(hass, house, travel)
    couch.entry = await scrobble(hass, mapping(couch.player, *accounts, **data))
    return couch


@dataclass
class Evening:
    """Everything that a test of scrobbling takes: time, a Trakt, an account there, and a couch that feeds it."""

    travel: Travel
    trakt: Trakt
    account: MockConfigEntry
    couch: Couch


async def make_evening(
    hass: HomeAssistant,
    house: House,
    serve: Serve,
    add_account: AddAccount,
    patch: pytest.MonkeyPatch,
    **data: Any,
) -> Evening:
    """Sit down. Accounts are asked for news only after they were changed."""
    patch.setattr(AccountCoordinator, "_schedule_refresh", lambda self: None)
    travel = Travel(hass, house.clock, patch)
    trakt: Trakt = await serve(Trakt, movies=40)
    trakt.pacing = False  # it measures real time
    account = await add_account(trakt)
    couch = await make_couch(hass, house, travel, account, **data)
    return Evening(travel, trakt, account, couch)


# what plays, and what services know -----------------------------------------------------------------------------------


def movie_of(entry: CatalogueMovie, **more: Any) -> Movie:
    """Return a movie as a player names it."""
    movie = Movie(title=entry.title, year=entry.year, runtime=entry.runtime)
    return replace(movie, **more)


def episode_of(show: CatalogueShow, episode: CatalogueEpisode, **more: Any) -> Episode:
    """Return an episode as a player names it."""
    return replace(
        Episode(
            show=Show(title=show.title),
            season=episode.season,
            number=episode.number,
            title=episode.title,
            runtime=episode.runtime,
        ),
        **more,
    )


def twins(catalogue: Catalogue) -> tuple[CatalogueMovie, CatalogueMovie]:
    """Make two movies of one name that nobody has in a library: the older one, and its remake."""
    old, new = sorted(catalogue.movies[-2:], key=lambda movie: movie.released)
    old.title = new.title = "Zwillinge"
    old.year, new.year = 1961, 2019
    old.runtime = new.runtime
    return old, new


def plays_of(
    service: Trakt, title: CatalogueMovie | CatalogueEpisode
) -> list[datetime]:
    """Return when a movie or an episode was watched, as Trakt keeps it, oldest first."""
    plays = service.account.plays.values()
    return sorted(play.at for play in plays if title in (play.title, play.episode))


def choices(result: Mapping[str, Any], field: str = "choice") -> list[dict[str, str]]:
    """Return what a form offers."""
    for marker, selector in result["data_schema"].schema.items():
        if marker == field:
            return list(selector.config["options"])
    raise AssertionError(f"no field {field}")


def value_of(driver: Driver, mark: str) -> str:
    """Return the value of the choice on screen whose label says `mark`."""
    (found,) = [c["value"] for c in choices(driver.at) if mark in c["label"]]
    return found
