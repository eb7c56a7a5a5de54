"""Which titles are asked about, and when once more."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.up_next.players import identifying as module
from custom_components.up_next.players.identifying import Asked, Identifying
from custom_components.up_next.scrobbling.identify import (
    CatalogueUnavailable,
    Identification,
)
from custom_components.up_next.scrobbling.observation import Media, MediaKind
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util


class Desk:
    """Somebody who identifies titles, and counts how often."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.hass = hass
        self.error: Exception | None = None
        self.asked: list[str] = []
        self.found: list[str] = []
        self.wanted = True
        self.identifying = Identifying(
            hass,
            self.identify,
            found=lambda found, _: self.found.append(found.media.title),
            wanted=lambda _: self.wanted,
            spawn=self.spawn,
        )

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self.hass.async_create_task(work, name)

    async def identify(self, asked: Asked) -> Identification:
        self.asked.append(asked.media.title)
        if self.error is not None:
            raise self.error
        return Identification(media=asked.media, duration=asked.duration)

    async def mind(self, title: str = "Heat", duration: float | None = 10.0) -> None:
        media = Media(kind=MediaKind.MOVIE, title=title)
        self.identifying.mind("tv", media, duration)
        await self.hass.async_block_till_done()

    async def later(self, seconds: float) -> None:
        async_fire_time_changed(
            self.hass, dt_util.utcnow() + timedelta(seconds=seconds)
        )
        await self.hass.async_block_till_done()


async def test_asked_again_when_nobody_answered(hass: HomeAssistant) -> None:
    desk = Desk(hass)
    for error in (CatalogueUnavailable("down"), ValueError("a mistake")):
        desk.error = error
        await desk.mind()
        await desk.later(5000)
    assert len(desk.asked) >= 3
    desk.error = None
    desk.identifying.ask_again()
    await hass.async_block_till_done()
    assert desk.found == ["Heat"]


async def test_not_asked_again_when_nobody_wants_it(hass: HomeAssistant) -> None:
    desk = Desk(hass)
    desk.error = CatalogueUnavailable("down")
    await desk.mind()
    desk.wanted = False
    await desk.later(5000)
    assert desk.asked == ["Heat"]
    desk.error = None
    await desk.mind()
    assert desk.found == ["Heat"]


async def test_stopped(hass: HomeAssistant) -> None:
    desk = Desk(hass)
    desk.error = CatalogueUnavailable("down")
    await desk.mind()
    desk.identifying.stop()
    await desk.later(5000)
    assert desk.asked == ["Heat"]


async def test_the_oldest_are_forgotten(hass: HomeAssistant) -> None:
    desk = Desk(hass)
    for number in range(module.REMEMBERED + 5):
        await desk.mind(f"Film {number}")
    assert (
        desk.identifying.get(Media(kind=MediaKind.MOVIE, title="Film 0").signature)
        is None
    )
    last = Media(kind=MediaKind.MOVIE, title=f"Film {module.REMEMBERED + 4}")
    assert desk.identifying.get(last.signature) is not None


async def test_what_changes_while_it_is_asked(hass: HomeAssistant) -> None:
    desk = Desk(hass)
    heat = Media(kind=MediaKind.MOVIE, title="Heat")
    desk.identifying.mind("tv", heat, None)
    desk.identifying.mind("tv", heat, 7200.0)
    await hass.async_block_till_done()
    assert desk.asked == ["Heat", "Heat"]
    found = desk.identifying.get(heat.signature)
    assert found is not None
    assert found.duration == 7200.0
    # once on a player whose titles are believed
    believed = Media(kind=MediaKind.MOVIE, title="Heat", titled_well=True)
    desk.identifying.mind("bed", believed, 7200.0)
    await hass.async_block_till_done()
    assert len(desk.asked) == 3


async def test_stopped_while_it_is_asked(hass: HomeAssistant) -> None:
    desk = Desk(hass)
    heat = Media(kind=MediaKind.MOVIE, title="Heat")
    for error in (None, CatalogueUnavailable("down")):
        desk.error = error
        works: list[Coroutine[Any, Any, None]] = []
        identifying = Identifying(
            hass,
            desk.identify,
            found=lambda found, _: desk.found.append(found.media.title),
            wanted=lambda _: True,
            spawn=lambda work, _, works=works: works.append(work),
        )
        identifying.mind("tv", heat, 10.0)
        identifying.stop()
        await works[0]
    assert desk.found == []
    await desk.later(5000)
    assert len(desk.asked) == 2
