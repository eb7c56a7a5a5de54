"""Names of files, read by guessit. Slow (some milliseconds, the first time a third of a second): never on an event loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Final

from ..media import Ids
from .attributes import number, text
from .observation import Media, MediaKind
from .parts import read_name, without_path

_OPTIONS: Final = {"no_user_config": True}
_EXTRAS: Final = frozenset({"Trailer", "Sample", "Extras", "Bonus", "Proof"})
_EXTENSION: Final = 5
"""The most characters that the ending of a file's name has, with its dot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """What the name of a file says. `name` is the movie's or the show's; `extra` marks trailers and samples."""

    kind: MediaKind
    name: str
    others: tuple[str, ...] = ()
    year: int | None = None
    season: int | None = None
    episode: int | None = None
    last_episode: int | None = None
    title: str = ""
    ids: Ids = field(default_factory=Ids)
    extra: bool = False


def parse(name: str) -> FileName | None:
    """Read a file's name, with or without its folders; None when there is no title in it. Blocking."""
    guessit = import_module("guessit")
    try:
        guess: Mapping[str, object] = guessit.guessit(name, _OPTIONS)
    except Exception:  # noqa: BLE001  # whatever it stumbles over, the name stays unread
        return None
    title = text(guess.get("title"))
    if not title:
        return None
    named = read_name(title)
    country = guess.get("country")
    suffix = f" ({getattr(country, 'alpha2', '')})" if country is not None else ""
    episodes = _numbers(guess.get("episode"))
    extra = guess.get("other")
    extras = extra if isinstance(extra, list) else [extra]
    episode_title = text(_first(guess.get("episode_title")))
    others = (text(one) for one in _listed(guess.get("alternative_title")))
    return FileName(
        kind=_kind(guess, episodes),
        name=named.name + suffix,
        others=(*named.others, *(other for other in others if other)),
        year=number(_first(guess.get("year"))) or named.year,
        season=number(_first(guess.get("season"))),
        episode=episodes[0] if episodes else None,
        last_episode=episodes[-1] if len(episodes) > 1 else None,
        # with a folder of that name before it, the show's name is taken for a title
        title="" if episode_title == title else episode_title,
        ids=named.ids.merged(
            Ids.of(
                {
                    name: _first(guess.get(f"{name}_id"))
                    for name in ("imdb", "tmdb", "tvdb")
                }
            )
        ),
        extra=any(one in _EXTRAS for one in extras),
    )


def _kind(guess: Mapping[str, object], episodes: list[int]) -> MediaKind:
    if guess.get("type") != "episode":
        return MediaKind.VIDEO if guess.get("year") is None else MediaKind.MOVIE
    # a date or a lone season is not enough to name an episode, but it is no movie
    return MediaKind.EPISODE if episodes or guess.get("date") else MediaKind.VIDEO


def _listed(value: object) -> list[object]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else value


def _numbers(value: object) -> list[int]:
    """Return the numbers of the episodes in one file, when they follow each other."""
    found = [n for one in _listed(value) if (n := number(one)) is not None]
    following = list(range(found[0], found[0] + len(found))) if found else []
    return found if found == following else found[:1]


def read_file(media: Media, parsed: FileName | None) -> Media:
    """Return what is known of a file's movie or episode when its name has been read."""
    if parsed is None:
        name = without_path(media.title)
        stem, dot, ending = name.rpartition(".")
        title = stem if dot and len(ending) < _EXTENSION else name
        return media.learned(replace(media, title=title, file=False))
    if parsed.episode is not None or parsed.kind is MediaKind.EPISODE:
        return media.learned(
            replace(
                media,
                kind=MediaKind.EPISODE,
                title=parsed.title,
                series=parsed.name,
                titles=parsed.others,
                season=parsed.season,
                episode=parsed.episode,
                last_episode=parsed.last_episode,
                year=parsed.year,
                # what stands in the name of an episode's file is the show's
                show_ids=media.show_ids.merged(parsed.ids),
                file=False,
            )
        )
    return media.learned(
        replace(
            media,
            kind=parsed.kind if media.kind is MediaKind.VIDEO else media.kind,
            title=parsed.name,
            titles=parsed.others,
            year=parsed.year or media.year,
            ids=media.ids.merged(parsed.ids),
            file=False,
        )
    )
