"""What stands in a title beside a name: a year, a country, ids, other names, the numbers of an episode."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
import re
from typing import Final

from ..media import Ids

# what stands around a name ------------------------------------------------------------------------------------------

_YEAR: Final = re.compile(r"(.*\S)\s*[(\[]((?:18|19|20)\d\d)[)\]]", re.DOTALL)
_BARE_YEAR: Final = re.compile(r"(.*\w)\W+((?:19|20)\d\d)", re.DOTALL)
_COUNTRY: Final = re.compile(r"(.*\S)\s*[(\[]([A-Za-z]{2,3})[)\]]", re.DOTALL)
_BARE_COUNTRY: Final = re.compile(r"(.*\w) (US|UK|USA|AU|CA|NZ|IE)", re.DOTALL)
_COUNTRIES: Final = {
    "us": "us", "usa": "us", "uk": "gb", "gb": "gb", "au": "au", "aus": "au", "ca": "ca", "nz": "nz", "ie": "ie",
    "in": "in", "jp": "jp", "kr": "kr", "fr": "fr", "de": "de", "es": "es", "it": "it", "se": "se", "dk": "dk",
    "no": "no", "nl": "nl", "be": "be", "br": "br", "mx": "mx", "za": "za",
}  # fmt: skip
"""What names are marked with -> ISO 3166."""
_IDS: Final = re.compile(
    r"\s*[{\[](imdb|tmdb|tvdb)(?:id)?[-=:](tt\d+|\d+)[}\]]", re.IGNORECASE
)


def split_year(text: str) -> tuple[str, int | None]:
    """Part "Heat (1995)" into name and year."""
    match = _YEAR.fullmatch(text.strip())
    return (match[1], int(match[2])) if match else (text, None)


def split_bare_year(text: str) -> tuple[str, int] | None:
    """Part "Doctor Who 2005" into name and year; None when no year stands at its end. It may belong to the name."""
    match = _BARE_YEAR.fullmatch(text.strip())
    return (match[1], int(match[2])) if match else None


def split_country(text: str) -> tuple[str, str | None]:
    """Part "The Office (US)" or "The Office US" into name and country (ISO 3166, lower case)."""
    text = text.strip()
    match = _COUNTRY.fullmatch(text) or _BARE_COUNTRY.fullmatch(text)
    country = _COUNTRIES.get(match[2].lower()) if match else None
    return (match[1], country) if match and country else (text, None)


def split_ids(text: str) -> tuple[str, Ids]:
    """Take ids as media servers have them in file names, "Heat {imdb-tt0113277}", out of a name."""
    found = _IDS.findall(text) if "{" in text or "[" in text else []
    if not found:
        return text, Ids()
    return _IDS.sub("", text).strip(), Ids.of(
        {name.lower(): value for name, value in found}
    )


def split_names(text: str) -> tuple[str, ...]:
    """Return the names in "Local / Original", the whole first."""
    parts = [part.strip() for part in text.split(" / ")]
    return (text, *parts) if len(parts) > 1 and all(parts) else (text,)


# season and episode -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """A text with the numbers of an episode in it: what stands before them, and what after."""

    series: str
    season: int
    episode: int
    last_episode: int | None = None
    title: str = ""


_SEASONS: Final = (
    "season|staffel|saison|temporada|stagione|seizoen|sæson|säsong|sezon|сезон|t"
)
_EPISODES: Final = (
    "episode|ep|folge|épisode|episodio|episódio|capítulo|capitulo|puntata|aflevering|afsnit|avsnitt|odcinek"
    "|серия|серії|серія|эпизод|выпуск|e"
)
_START: Final = r"(?<![^\W_])"
_END: Final = r"(?![^\W_])"
_ORDINAL: Final = r"(?:\.|-?[\u0430-\u044f]{1,2})?"
"""What follows a number that counts: "1. Staffel", "1-й сезон"."""

# S01E02, s1.e2, S1:E2, S01 E02; of several S01E02E03, S01E02-E03, S01E02-03
_SHORT: Final = (
    r"S(?P<season>\d{1,4})[ ._:-]{0,3}E(?:P\.? ?)?(?P<episode>\d{1,4})"
    r"(?:(?:[ ._]?[-+&]?[ ._]?E\d{1,4})*[ ._]?[-+&]?[ ._]?E(?P<last>\d{1,4})|-(?P<until>\d{1,3}))?"
)
# 1x02; of several 1x02-03, 1x02-1x03
_CROSSED: Final = (
    r"(?P<season>\d{1,2})x(?P<episode>\d{2,3})(?:-(?:\d{1,2}x)?(?P<last>\d{2,3}))?"
)
# Season 1 Episode 2; Staffel 1, Folge 2; T1:E2
_WORDED: Final = (
    rf"(?:{_SEASONS})\.? ?(?P<season>\d{{1,4}})[ .,:;_\u2013\u2014-]{{0,4}}"
    rf"(?:{_EPISODES})\.? ?(?P<episode>\d{{1,4}})"
)
# 1. Staffel, Folge 2; 1 сезон 2 серия; 1-й сезон, 2-я серия
_COUNTED: Final = (
    rf"(?P<season>\d{{1,3}}){_ORDINAL} (?:{_SEASONS}),? "
    rf"(?:(?P<episode>\d{{1,4}}){_ORDINAL} (?:{_EPISODES})|(?:{_EPISODES})\.? (?P<after>\d{{1,4}}))"
)
_NUMBERED: Final = tuple(
    re.compile(_START + pattern + _END, re.IGNORECASE)
    for pattern in (_SHORT, _CROSSED, _WORDED, _COUNTED)
)
_MAY_BE_NUMBERED: Final = re.compile(r"\d")
_AROUND: Final = " \t.,:;_-\u2013\u2014|·•"


@lru_cache(maxsize=1024)
def split_numbers(text: str) -> Numbered | None:
    """Read "Show S01E02 Title" and the like, in several languages; None when there are no such numbers."""
    if not _MAY_BE_NUMBERED.search(text):
        return None
    for pattern in _NUMBERED:
        if match := pattern.search(text):
            found = match.groupdict()
            episode = int(found["episode"] or found["after"])
            last = int(found.get("last") or found.get("until") or episode)
            return Numbered(
                series=text[: match.start()].strip(_AROUND + "(["),
                season=int(found["season"]),
                episode=episode,
                last_episode=last if episode < last < episode + 10 else None,
                title=text[match.end() :].strip(_AROUND + ")]"),
            )
    return None


# file names ---------------------------------------------------------------------------------------------------------

_FILE: Final = re.compile(
    r"\.(?:mkv|mp4|m4v|avi|mov|wmv|mpe?g|ts|m2ts|webm|flv|iso|vob|ogm|strm|divx)$"
    r"|(?<![^\W_])(?:480|576|720|1080|2160)[pi](?![^\W_])"
    r"|(?<![^\W_])(?:[xh]\.?26[45]|hevc|xvid|blu-?ray|b[dr]rip|web-?(?:dl|rip)|hdtv|dvd-?rip|hdrip|remux)(?![^\W_])"
    # [Group] Name - 60
    r"|^\[[^\]]+\].+ - \d{1,4}(?!\d)",
    re.IGNORECASE,
)
_LONG_WORDS: Final = re.compile(r"[._]")


@lru_cache(maxsize=1024)
def looks_like_file(text: str) -> bool:
    """Say whether a title is rather the name of a file: an ending, a resolution, dots in place of spaces."""
    if _FILE.search(text):
        return True
    if not text or " " in text:
        return False
    words = [word for word in _LONG_WORDS.split(text) if len(word) > 1]
    return len(words) >= 3


def without_path(text: str) -> str:
    """Return the last part of a path or address, without its query."""
    text = text.partition("?")[0] if "://" in text else text
    return re.split(r"[/\\]", text.rstrip("/\\"))[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A title with what stood around it: other names, its year, and ids."""

    name: str
    others: tuple[str, ...] = ()
    year: int | None = None
    ids: Ids = field(default_factory=Ids)


_NOTHING_AROUND: Final = re.compile(r"[^(\[{/]*")


@lru_cache(maxsize=1024)
def read_name(text: str) -> Named:
    """Part "Локальное / Original (1995) {imdb-tt0113277}" into what it says."""
    if _NOTHING_AROUND.fullmatch(text):
        return Named(name=text)
    text, ids = split_ids(text)
    text, year = split_year(text)
    name, *others = split_names(text)
    return Named(name=name, others=tuple(others), year=year, ids=ids)
