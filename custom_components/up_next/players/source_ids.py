"""What the integrations behind players know beyond their states: external ids, the show's too, and true positions.

All of it is asked of other integrations, most of it of their insides: whatever goes wrong there leaves a title as its
player reported it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
import logging
import re
from typing import Final, Protocol

from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from ..media import Ids
from ..scrobbling.attributes import library_ids, number, seconds, text
from ..scrobbling.observation import Media, MediaKind
from ..scrobbling.titles import plain

_LOGGER = logging.getLogger(__name__)

TIMEOUT: Final = 5.0
"""Seconds that an integration has to answer."""
EVENT_KODI_RESULT: Final = "kodi_call_method_result"
_VIDEO_PLAYER: Final = 1
"""Kodi's number of the player that shows videos."""


class _Adapter(Protocol):
    def __call__(
        self, hass: HomeAssistant, entity_id: str, media: Media
    ) -> Awaitable[Media]:
        """Return the media with what its integration knows besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TruePosition:
    """Where a player really is, in seconds; `duration` is None when it does not tell."""

    position: float
    duration: float | None = None


async def enrich(
    hass: HomeAssistant, entity_id: str, source: str, media: Media
) -> Media:
    """Return what a player plays with the ids that its integration `source` knows; as it is when there are none.

    The signatures stay the same.
    """
    adapter = _ADAPTERS.get(source)
    if adapter is None or media.ignored is not None:
        return media
    try:
        async with asyncio.timeout(TIMEOUT):
            more = await adapter(hass, entity_id, media)
    except Exception as error:  # noqa: BLE001  # the insides of others can fail in any way
        _LOGGER.debug("No ids of what %s plays: %r", entity_id, error)
        return media
    return media if more == media else media.learned(more)


async def true_position(
    hass: HomeAssistant, entity_id: str, source: str
) -> TruePosition | None:
    """Ask a player where it is, past what its state says; None where that can't be asked."""
    if source != "kodi":
        return None
    try:
        async with asyncio.timeout(TIMEOUT):
            return await _kodi_position(hass, entity_id)
    except Exception as error:  # noqa: BLE001  # the insides of others can fail in any way
        _LOGGER.debug("No position of %s: %r", entity_id, error)
        return None


def person_of(hass: HomeAssistant, entity_id: str, source: str) -> str | None:
    """Return whom a player plays for, where its integration knows but does not show it."""
    asked = _PERSONS.get(source)
    if asked is None:
        return None
    try:
        return text(asked(hass, entity_id)) or None
    except Exception as error:  # noqa: BLE001  # the insides of others can fail in any way
        _LOGGER.debug("Nobody is known to watch %s: %r", entity_id, error)
        return None


def _mapping(value: object) -> Mapping[object, object]:
    return value if isinstance(value, Mapping) else {}


def _rows(value: object) -> Iterable[Mapping[object, object]]:
    return map(_mapping, value) if isinstance(value, Sequence) else ()


def _after(first: int | None, last: int | None) -> int | None:
    return last if first is not None and last is not None and last > first else None


def _registered(hass: HomeAssistant, entity_id: str) -> er.RegistryEntry:
    entry = er.async_get(hass).async_get(entity_id)
    if entry is None:
        raise LookupError(f"{entity_id} is not registered")
    return entry


# Kodi: an action whose answer comes as an event ---------------------------------------------------------------------


async def _ask_kodi(
    hass: HomeAssistant, entity_id: str, method: str, **params: object
) -> Mapping[object, object]:
    """Call a method of Kodi's JSON-RPC interface. Raises LookupError when there is no answer."""
    answers: list[Mapping[object, object]] = []

    @callback
    def take(event: Event) -> None:
        asked = _mapping(event.data.get("input"))
        if (
            event.data.get(ATTR_ENTITY_ID) == entity_id
            and event.data.get("result_ok")
            and asked.get("method") == method
            and asked.get("params") == params
        ):
            answers.append(_mapping(event.data.get("result")))

    stop = hass.bus.async_listen(EVENT_KODI_RESULT, take)
    try:
        # the event is fired before the action ends
        await hass.services.async_call(
            "kodi",
            "call_method",
            {ATTR_ENTITY_ID: entity_id, "method": method, **params},
            blocking=True,
        )
    finally:
        stop()
    if not answers:
        raise LookupError(f"no answer to {method}")
    return answers[-1]


async def _kodi(hass: HomeAssistant, entity_id: str, media: Media) -> Media:
    properties = ["uniqueid", "tvshowid", "season", "episode", "year", "file", "title"]
    answer = await _ask_kodi(
        hass,
        entity_id,
        "Player.GetItem",
        playerid=_VIDEO_PLAYER,
        properties=properties,
    )
    item = _mapping(answer.get("item"))
    if not _is_kodis(item, media):
        return media
    ids, shows = library_ids(_mapping(item.get("uniqueid")))
    media = replace(
        media, ids=media.ids.merged(ids), show_ids=media.show_ids.merged(shows)
    )
    if media.kind is not MediaKind.EPISODE:
        return replace(media, year=media.year or number(item.get("year")) or None)
    show = number(item.get("tvshowid"))
    if not show:
        return media
    answer = await _ask_kodi(
        hass,
        entity_id,
        "VideoLibrary.GetTVShowDetails",
        tvshowid=show,
        properties=["uniqueid", "year"],
    )
    details = _mapping(answer.get("tvshowdetails"))
    shows, _ = library_ids(_mapping(details.get("uniqueid")))
    return replace(
        media,
        show_ids=media.show_ids.merged(shows),
        year=media.year or number(details.get("year")) or None,
        last_episode=media.last_episode
        or await _last_in_file(hass, entity_id, show, item),
    )


def _is_kodis(item: Mapping[object, object], media: Media) -> bool:
    """Say whether Kodi still plays what its entity reported."""
    if media.numbered:
        return (number(item.get("season")), number(item.get("episode"))) == (
            media.season,
            media.episode,
        )
    return plain(text(item.get("title"))) == plain(media.title)


async def _last_in_file(
    hass: HomeAssistant, entity_id: str, show: int, item: Mapping[object, object]
) -> int | None:
    """Return the number of the last episode in the file that plays; None when it holds but one."""
    file, first = text(item.get("file")), number(item.get("episode"))
    try:
        answer = await _ask_kodi(
            hass,
            entity_id,
            "VideoLibrary.GetEpisodes",
            tvshowid=show,
            season=number(item.get("season")),
            properties=["episode", "file"],
        )
    except LookupError:
        return None
    found = [
        number(row.get("episode"))
        for row in _rows(answer.get("episodes"))
        if file and text(row.get("file")) == file
    ]
    return _after(first, max((one for one in found if one is not None), default=None))


async def _kodi_position(hass: HomeAssistant, entity_id: str) -> TruePosition | None:
    answer = await _ask_kodi(
        hass,
        entity_id,
        "Player.GetProperties",
        playerid=_VIDEO_PLAYER,
        properties=["time", "totaltime"],
    )
    position = _kodi_seconds(answer.get("time"))
    if position is None:
        return None
    return TruePosition(
        position=position, duration=_kodi_seconds(answer.get("totaltime")) or None
    )


def _kodi_seconds(value: object) -> float | None:
    """Read {"hours": 1, "minutes": 2, "seconds": 3, "milliseconds": 4}."""
    parts = _mapping(value)
    units = {"hours": 3600.0, "minutes": 60.0, "seconds": 1.0, "milliseconds": 0.001}
    found = [
        part * factor
        for unit, factor in units.items()
        if (part := seconds(parts.get(unit))) is not None
    ]
    return sum(found) if found else None


# Plex: the server's own objects, which ask it in turn ---------------------------------------------------------------

_PLEX_GUID: Final = re.compile(r"(imdb|tmdb|tvdb)://(\w+)")
_PLEX_AGENT: Final = re.compile(
    r"com\.plexapp\.agents\.(imdb|themoviedb|thetvdb)://(\w+)(/\d+/\d+)?(?:\?.*)?"
)
_PLEX_AGENTS: Final = {"imdb": "imdb", "themoviedb": "tmdb", "thetvdb": "tvdb"}


async def _plex(hass: HomeAssistant, entity_id: str, media: Media) -> Media:
    server_id, colon, _ = _registered(hass, entity_id).unique_id.partition(":")
    if not colon or not media.content_id.isdigit():
        raise LookupError("it names no server, or no item of it")
    server = hass.data["plex"]["servers"][server_id]
    return await hass.async_add_executor_job(_from_plex, server.fetch_item, media)


def _from_plex(fetch: Callable[[int], object], media: Media) -> Media:
    """Ask a Plex server for the ids of an item, and of its show. Blocking."""
    item = fetch(int(media.content_id))
    ids, shows = _plex_ids(item)
    original = text(getattr(item, "originalTitle", None))
    if media.kind is not MediaKind.EPISODE:
        return replace(
            media,
            ids=media.ids.merged(ids),
            year=media.year or number(getattr(item, "year", None)),
            titles=(*media.titles, original) if original else media.titles,
        )
    year = None
    key = number(getattr(item, "grandparentRatingKey", None))
    if key is not None:
        show = fetch(key)
        own, _ = _plex_ids(show)
        shows = shows.merged(own)
        year = number(getattr(show, "year", None))
    return replace(
        media,
        ids=media.ids.merged(ids),
        show_ids=media.show_ids.merged(shows),
        year=media.year or year,
    )


def _plex_ids(item: object) -> tuple[Ids, Ids]:
    """Return the ids of an item, and those of its show: the old agents name an episode by show and numbers."""
    own: dict[str, object] = {}
    for guid in getattr(item, "guids", None) or ():
        if match := _PLEX_GUID.fullmatch(text(getattr(guid, "id", None))):
            own[match[1]] = match[2]
    match = _PLEX_AGENT.fullmatch(text(getattr(item, "guid", None)))
    if match is None:
        return Ids.of(own), Ids()
    agents = {_PLEX_AGENTS[match[1]]: match[2]}
    if match[3]:
        return Ids.of(own), Ids.of(agents)
    return Ids.of(agents | own), Ids()


# Jellyfin: the sessions that its coordinator holds ------------------------------------------------------------------


async def _jellyfin(hass: HomeAssistant, entity_id: str, media: Media) -> Media:
    data, session = _jellyfin_session(hass, entity_id)
    item = _mapping(session.get("NowPlayingItem"))
    if text(item.get("Id")) != media.content_id:
        # it plays something else by now
        return media
    ids = _jellyfin_ids(item)
    original = text(item.get("OriginalTitle"))
    if media.kind is not MediaKind.EPISODE:
        return replace(
            media,
            ids=media.ids.merged(ids),
            year=media.year or number(item.get("ProductionYear")),
            titles=(*media.titles, original) if original else media.titles,
        )
    last = number(item.get("IndexNumberEnd"))
    media = replace(
        media,
        ids=media.ids.merged(ids),
        last_episode=media.last_episode or _after(media.episode, last),
    )
    if not (series := text(item.get("SeriesId"))):
        return media
    try:
        show = _mapping(
            await hass.async_add_executor_job(data.api_client.jellyfin.get_item, series)
        )
    except Exception as error:  # noqa: BLE001  # the insides of others can fail in any way
        _LOGGER.debug("No ids of the show that %s plays: %r", entity_id, error)
        return media
    return replace(
        media,
        show_ids=media.show_ids.merged(_jellyfin_ids(show)),
        year=media.year or number(show.get("ProductionYear")),
    )


class _JellyfinApi(Protocol):
    def get_item(self, item_id: str, /) -> object:
        """Ask the server for an item. Blocking."""


class _JellyfinClient(Protocol):
    jellyfin: _JellyfinApi


class _JellyfinData(Protocol):
    server_id: str
    api_client: _JellyfinClient
    data: Mapping[str, Mapping[object, object]]


def _jellyfin_session(
    hass: HomeAssistant, entity_id: str
) -> tuple[_JellyfinData, Mapping[object, object]]:
    registered = _registered(hass, entity_id)
    entry = hass.config_entries.async_get_entry(registered.config_entry_id or "")
    if entry is None:
        raise LookupError("it belongs to no server")
    data: _JellyfinData = entry.runtime_data
    session_id = registered.unique_id.removeprefix(f"{data.server_id}-")
    return data, data.data[session_id]


def _jellyfin_ids(item: Mapping[object, object]) -> Ids:
    return library_ids(_mapping(item.get("ProviderIds")))[0]


def _jellyfin_person(hass: HomeAssistant, entity_id: str) -> object:
    return _jellyfin_session(hass, entity_id)[1].get("UserName")


# Emby as the integration from HACS has it: the sessions that its coordinator holds -------------------------------------


class _EmbySession(Protocol):
    user_name: str | None


class _EmbySessions(Protocol):
    server_id: str

    def get_session(self, device_id: str, /) -> _EmbySession | None:
        """Return what the server says of a device; None while it is away."""


class _EmbyData(Protocol):
    session_coordinator: _EmbySessions


def _emby_person(hass: HomeAssistant, entity_id: str) -> object:
    registered = _registered(hass, entity_id)
    entry = hass.config_entries.async_get_entry(registered.config_entry_id or "")
    if entry is None:
        raise LookupError("it belongs to no server")
    data: _EmbyData = entry.runtime_data
    sessions = data.session_coordinator
    device = registered.unique_id.removeprefix(f"{sessions.server_id}_")
    session = sessions.get_session(device)
    return session.user_name if session else None


_PERSONS: Final[Mapping[str, Callable[[HomeAssistant, str], object]]] = {
    "embymedia": _emby_person,
    "jellyfin": _jellyfin_person,
}
_ADAPTERS: Final[Mapping[str, _Adapter]] = {
    "jellyfin": _jellyfin,
    "kodi": _kodi,
    "plex": _plex,
}
