"""Has the titles that players report identified: in the background, and again while no service can be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
import logging
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later

from ..scrobbling.identify import CatalogueUnavailable, Identification
from ..scrobbling.observation import Media
from .listening import Spawn

_LOGGER = logging.getLogger(__name__)

ASK_AGAIN: Final = (60.0, 120.0, 300.0, 600.0)
"""Seconds until a title is looked up again that no service could be asked about, the last one for good."""
AT_ONCE: Final = 3
"""So often a title is identified anew at once because its length turns out to be another; then once a minute."""
GOOD_FOR: Final = 24 * 3600.0
"""Seconds after which a title that is played once more is identified anew, though it was recognized before."""
REMEMBERED: Final = 200
"""So many titles are remembered that nobody plays any more."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A title to be identified: what a player says of it, and how long it is (seconds)."""

    player: str
    media: Media
    duration: float | None


@dataclass(slots=True, eq=False)
class _Title:
    asked: Asked
    """As it was reported last."""
    players: set[str] = field(default_factory=set)
    """Who reported it."""
    found: Identification | None = None
    runs: bool = False
    times: int = 0
    """How often it was identified because of another length."""
    tried_at: float = float("-inf")
    failures: int = 0
    """How often in a row no service could be asked."""


class Identifying:
    """The titles that players report, and what they were found to be."""

    def __init__(
        self,
        hass: HomeAssistant,
        identify: Callable[[Asked], Awaitable[Identification]],
        *,
        found: Callable[[Identification, frozenset[str]], None],
        wanted: Callable[[str], bool],
        spawn: Spawn,
    ) -> None:
        """Tell `found` what comes out, and for which players. Only what is `wanted`, by its signature, is asked for again."""
        self._hass = hass
        self._identify = identify
        self._found = found
        self._wanted = wanted
        self._spawn = spawn
        self._titles: dict[str, _Title] = {}
        self._again: dict[str, CALLBACK_TYPE] = {}

    def get(self, signature: str) -> Identification | None:
        """Return what a title was found to be."""
        title = self._titles.get(signature)
        return title.found if title else None

    @callback
    def mind(self, player: str, media: Media, duration: float | None) -> None:
        """Have a title identified, unless that was done, or would come to the same."""
        signature = media.signature
        title = self._titles.pop(signature, None) or _Title(
            Asked(player, media, duration)
        )
        # the one asked for last is forgotten last
        self._titles[signature] = title
        title.asked = Asked(player, media, duration)
        title.players.add(player)
        if not title.runs and signature not in self._again and self._is_open(title):
            self._begin(title)

    @callback
    def forget(self, signatures: Collection[str]) -> set[str]:
        """Forget what titles were found to be, by their own signature or their show's; return which ones."""
        gone: set[str] = set()
        for signature, title in self._titles.items():
            media = title.found.media if title.found else title.asked.media
            if {signature, media.show_signature}.isdisjoint(signatures):
                continue
            title.found, title.times = None, 0
            if stop := self._again.pop(signature, None):
                stop()
            gone.add(signature)
        return gone

    @callback
    def ask_again(self) -> None:
        """Ask now about what no service could be asked about: one may have come back."""
        for signature in list(self._again):
            self._again.pop(signature)()
            self._retry(signature)

    @callback
    def stop(self) -> None:
        """Ask no more."""
        for stop in self._again.values():
            stop()
        self._again.clear()
        self._titles.clear()

    def _is_open(self, title: _Title) -> bool:
        """Say whether identifying a title may bring something new."""
        found = title.found
        if found is None:
            return True
        if found.unasked:
            # what its media server knows of it may have been put right
            return self._hass.loop.time() - title.tried_at >= GOOD_FOR
        if title.asked.media.titled_well and not found.media.titled_well:
            # this player is believed where the other was not
            return True
        if found.duration == title.asked.duration:
            return False
        # what has no end yet grows all the time
        patient = self._hass.loop.time() - title.tried_at >= ASK_AGAIN[0]
        return title.times < AT_ONCE or patient

    @callback
    def _begin(self, title: _Title) -> None:
        title.runs = True
        title.tried_at = self._hass.loop.time()
        title.times += title.found is not None
        signature = title.asked.media.signature
        self._spawn(self._run(title), f"Scrobbling identifies {signature}")

    async def _run(self, title: _Title) -> None:
        asked = title.asked
        signature = asked.media.signature
        try:
            found = await self._identify(asked)
        except CatalogueUnavailable as error:
            _LOGGER.debug("%s can't be identified now: %s", signature, error)
            self._plan(title, signature)
            return
        except Exception:
            _LOGGER.exception("Identifying a title failed")
            self._plan(title, signature)
            return
        finally:
            title.runs = False
        if self._titles.get(signature) is not title:
            return  # nobody follows it any more
        title.found, title.failures = found, 0
        self._tidy()
        self._found(found, frozenset(title.players))
        if title.asked != asked and self._is_open(title):
            self._begin(title)

    @callback
    def _plan(self, title: _Title, signature: str) -> None:
        """Ask again later."""
        if self._titles.get(signature) is not title:
            return
        delay = ASK_AGAIN[min(title.failures, len(ASK_AGAIN) - 1)]
        title.failures += 1

        @callback
        def again(_: datetime) -> None:
            del self._again[signature]
            self._retry(signature)

        self._again[signature] = async_call_later(self._hass, delay, again)

    @callback
    def _retry(self, signature: str) -> None:
        title = self._titles.get(signature)
        if title is None or title.runs:
            return
        if self._wanted(signature):
            self._begin(title)
        elif title.found is None:
            # played once more, it is asked about at once
            del self._titles[signature]

    def _tidy(self) -> None:
        """Forget the titles that were asked for longest ago."""
        spare = [
            signature
            for signature, title in self._titles.items()
            if not title.runs and signature not in self._again
        ]
        for signature in spare[: max(0, len(self._titles) - REMEMBERED)]:
            del self._titles[signature]
