"""What the logbook says of players."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.up_next.const import DOMAIN
from custom_components.up_next.logbook import async_describe_events
from custom_components.up_next.players.events import EVENT_SCROBBLE
from homeassistant.core import HomeAssistant
from simulators.trakt import Trakt

from .home import Home, next_episode


def describer(hass: HomeAssistant) -> Callable[[Any], dict[str, Any]]:
    """Return how the logbook was told to describe scrobbles."""
    described: dict[tuple[str, str], Any] = {}

    def describe(domain: str, event: str, how: Any) -> None:
        described[domain, event] = how

    async_describe_events(hass, describe)
    how: Callable[[Any], dict[str, Any]] = described[DOMAIN, EVENT_SCROBBLE]
    return how


async def test_what_happens_is_told(home: Home) -> None:
    _, account = await home.sign_in(Trakt)
    episode = next_episode(account)
    tv, _ = await home.feed(account)
    events = async_capture_events(home.hass, EVENT_SCROBBLE)
    tv.play(episode)
    await home.wait(20)
    tv.pause(episode, 600)
    await home.wait(20)
    tv.report("off")
    tv.report(
        "playing",
        media_content_type="movie",
        media_title="A film that nobody has ever heard of",
        media_duration=6000,
    )
    await home.wait(5800)
    tv.report("off")
    await home.settle()
    describe = describer(home.hass)
    assert [describe(event) for event in events] == [
        {"name": "tv", "message": message, "entity_id": tv.entity_id}
        for message in (
            f"started {episode.label}",
            f"paused {episode.label}",
            "can't tell what this is: A film that nobody has ever heard of",
        )
    ]
