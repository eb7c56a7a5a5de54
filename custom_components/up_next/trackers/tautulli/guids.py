"""The guids of Plex: external ids, and the names its agents give to things (apis/letterboxd_tvtime_tautulli_plex.md section 4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
import re
from typing import Final

from ...media import Ids

_EXTERNAL: Final = re.compile(r"(imdb|tmdb|tvdb)://(\w+)")
_PLEX: Final = re.compile(r"plex://(?:movie|show|season|episode)/([0-9a-f]{24})")
_NFO: Final = re.compile(r"tv\.plex\.agents\.nfo\.\w+://\w+/(imdb|tmdb|tvdb)_(\w+)")
_AGENT: Final = re.compile(r"com\.plexapp\.agents\.(\w+)://([\w-]+)(?:/.*)?")
_HAMA: Final = re.compile(r"(imdb|tmdb|tsdb|tvdb|anidb)\d?-(\w+)")
_BARE_IMDB: Final = re.compile(r"tt\d+")
_AGENTS: Final = {
    "imdb": "imdb",
    "themoviedb": "tmdb",
    "tmdb": "tmdb",
    "thetvdb": "tvdb",
    "thetvdbdvdorder": "tvdb",
    "xbmcnfotv": "tvdb",
}


@dataclass(frozen=True, slots=True)
class Guid:
    """One id read from a guid. Old agents name an episode by its show: then `of_show` is true."""

    namespace: str
    value: str
    of_show: bool = False


def read_guid(text: str) -> Guid | None:
    """Read a guid; None where it says nothing outside this Plex server (local, live TV, theme music, ...)."""
    text = text.partition("?")[0]
    if match := _EXTERNAL.fullmatch(text) or _NFO.fullmatch(text):
        return Guid(match[1], match[2])
    if match := _PLEX.fullmatch(text):
        return Guid("plex", match[1])
    if _BARE_IMDB.fullmatch(text):
        return Guid("imdb", text)
    if match := _AGENT.fullmatch(text):
        return _of_agent(match[1], match[2])
    return None


def _of_agent(agent: str, value: str) -> Guid | None:
    if agent == "hama":
        match = _HAMA.fullmatch(value)
        if match is None:
            return None
        return Guid("tmdb" if match[1] == "tsdb" else match[1], match[2], of_show=True)
    if agent == "xbmcnfo":
        return Guid("imdb" if value.startswith("tt") else "tmdb", value, of_show=True)
    namespace = _AGENTS.get(agent)
    return Guid(namespace, value, of_show=True) if namespace else None


def collect(guids: Iterable[str], *, of_show: bool | None = None) -> Ids:
    """Collect ids; with `of_show`, only those that name the show, or only those that do not.

    Of two ids in one namespace the lower one is taken.
    """
    found: dict[str, str] = {}
    for guid in filter(None, map(read_guid, guids)):
        if of_show is None or guid.of_show is of_show:
            known = found.get(guid.namespace, guid.value)
            found[guid.namespace] = min(known, guid.value, key=lambda v: (len(v), v))
    return Ids.of(found)
