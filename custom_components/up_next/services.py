"""The actions: their names, what they accept and whether they answer. docs/actions.md describes them for people."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import voluptuous as vol

from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.helpers import config_validation as cv

from .actions import changing, reading, scrobbling
from .actions.changing import (
    ATTR_ACCOUNT,
    ATTR_PLAY,
    ATTR_POSITION,
    ATTR_PROGRESS,
    ATTR_RATING,
    ATTR_REWATCH,
    ATTR_WATCHED_AT,
)
from .actions.reading import ATTR_ITEM_ID, ATTR_LIMIT, ATTR_QUERY
from .actions.scrobbling import (
    ATTR_ACTION,
    ATTR_IGNORE,
    ATTR_MATCH,
    ATTR_MOVE,
    ATTR_PLAYER,
    ATTR_WHOLE_SHOW,
)
from .actions.wanted import (
    ATTR_TYPE,
    ATTR_YEAR,
    MEDIA_ITEM_FIELDS,
    decimal,
    is_blank,
    media_type,
    optional,
    whole,
    words,
)
from .const import DOMAIN
from .media import MediaType

type Handler = Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]
type Fields = Mapping[vol.Marker, object]


def _accounts(value: object) -> list[str]:
    """Validate device ids or entry ids: one, or a list."""
    given = value if isinstance(value, list) else [value]
    return [cv.string(name) for name in given if not is_blank(name)]


def _boolean(value: object) -> bool:
    return False if is_blank(value) else cv.boolean(value)


def _query(value: object) -> str:
    if is_blank(value):
        raise vol.Invalid("expected what to search for")
    return words(value)


def _item_id(value: object) -> str:
    if is_blank(value):
        raise vol.Invalid("expected the service's own ID of a movie or show")
    return words(value)


_ACCOUNT: Final[Fields] = {vol.Optional(ATTR_ACCOUNT, default=list): _accounts}
_ITEM: Final[Fields] = {**_ACCOUNT, **MEDIA_ITEM_FIELDS}
_TITLE_TYPE: Final[Fields] = {
    vol.Optional(ATTR_TYPE): optional(media_type(MediaType.MOVIE, MediaType.SHOW))
}
_NO_MORE_THAN: Final[Fields] = {vol.Optional(ATTR_LIMIT): optional(whole(1, 10_000))}


def _limit(usual: int, most: int) -> Fields:
    """Return the field for how much to answer, for what costs requests or is rarely wanted whole."""

    def validate(value: object) -> int:
        return usual if is_blank(value) else whole(1, most)(value)

    return {vol.Optional(ATTR_LIMIT, default=usual): validate}


@dataclass(frozen=True, slots=True)
class Action:
    """An action: what it does, what it accepts, and whether it only answers."""

    handler: Handler
    fields: Fields = field(default_factory=lambda: _ITEM)
    response: SupportsResponse = SupportsResponse.OPTIONAL


ACTIONS: Final[Mapping[str, Action]] = {
    "mark_watched": Action(
        changing.mark_watched,
        {
            **_ITEM,
            vol.Optional(ATTR_WATCHED_AT): object,
            vol.Optional(ATTR_REWATCH, default=False): _boolean,
        },
    ),
    "mark_unwatched": Action(changing.mark_unwatched),
    "toggle_watched": Action(changing.toggle_watched),
    "undo_play": Action(
        changing.undo_play, {**_ITEM, vol.Optional(ATTR_PLAY): optional(words)}
    ),
    "add_to_watchlist": Action(changing.add_to_watchlist),
    "remove_from_watchlist": Action(changing.remove_from_watchlist),
    "toggle_watchlist": Action(changing.toggle_watchlist),
    "rate": Action(changing.rate, {**_ITEM, vol.Required(ATTR_RATING): whole(1, 10)}),
    "unrate": Action(changing.unrate),
    "set_progress": Action(
        changing.set_progress,
        {
            **_ITEM,
            vol.Optional(ATTR_PROGRESS): optional(decimal(0, 100)),
            vol.Optional(ATTR_POSITION): optional(decimal(0, 1_000_000)),
        },
    ),
    "clear_progress": Action(changing.clear_progress),
    "hide_show": Action(changing.hide_show),
    "unhide_show": Action(changing.unhide_show),
    "search": Action(
        reading.search,
        {
            **_ACCOUNT,
            vol.Required(ATTR_QUERY): _query,
            **_TITLE_TYPE,
            vol.Optional(ATTR_YEAR): optional(whole(1870, 2200)),
            **_limit(10, 50),
        },
        SupportsResponse.ONLY,
    ),
    "get_next_episodes": Action(
        reading.get_next_episodes,
        {**_ACCOUNT, **_limit(10, 10_000)},
        SupportsResponse.ONLY,
    ),
    "get_unwatched": Action(
        reading.get_unwatched, {**_ACCOUNT, **_NO_MORE_THAN}, SupportsResponse.ONLY
    ),
    "get_watchlist": Action(
        reading.get_watchlist,
        {**_ACCOUNT, **_TITLE_TYPE, **_NO_MORE_THAN},
        SupportsResponse.ONLY,
    ),
    "get_history": Action(
        reading.get_history, {**_ITEM, **_limit(20, 500)}, SupportsResponse.ONLY
    ),
    "get_playback": Action(
        reading.get_playback,
        {**_ACCOUNT, vol.Required(ATTR_ITEM_ID): _item_id},
        SupportsResponse.ONLY,
    ),
    "refresh": Action(reading.refresh, _ACCOUNT),
    "scrobble": Action(
        scrobbling.scrobble,
        {
            **_ITEM,
            vol.Required(ATTR_ACTION): vol.All(
                words, vol.Lower, vol.In(("start", "pause", "stop"))
            ),
            vol.Optional(ATTR_PROGRESS): optional(decimal(0, 100)),
        },
    ),
    "check_in": Action(scrobbling.check_in),
    "get_matches": Action(scrobbling.get_matches, {}, SupportsResponse.ONLY),
    "resolve_match": Action(
        scrobbling.resolve_match,
        {
            **_ITEM,
            vol.Optional(ATTR_PLAYER): optional(words),
            vol.Optional(ATTR_MATCH): optional(words),
            vol.Optional(ATTR_WHOLE_SHOW, default=False): _boolean,
            vol.Optional(ATTR_IGNORE, default=False): _boolean,
            vol.Optional(ATTR_MOVE, default=True): _boolean,
        },
    ),
    "forget_match": Action(scrobbling.forget_match, {vol.Required(ATTR_MATCH): words}),
}


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for name, action in ACTIONS.items():
        hass.services.async_register(
            DOMAIN,
            name,
            action.handler,
            schema=vol.Schema(dict(action.fields)),
            supports_response=action.response,
        )
