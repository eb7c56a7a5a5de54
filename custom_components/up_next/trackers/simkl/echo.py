"""What Simkl says of a scrobble, and whether that is what was meant: pure (apis/simkl.md section 8).

A 2xx proves nothing: titles that Simkl does not know by their ids are matched by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mashumaro import DataClassDictMixin, field_options

from ...media import Episode, Ids, Movie
from .payloads import Title, number, one, text
from .writing import MATCHED, NATIVE, is_native

_INT = field_options(deserialize=number)


@dataclass(kw_only=True)
class EchoedEpisode(DataClassDictMixin):
    """The episode that was matched; for anime in Simkl's own numbering and, as `tvdb_*`, in that of TVDB."""

    season: int | None = field(default=None, metadata=_INT)
    number: int | None = field(default=None, metadata=_INT)
    episode: int | None = field(default=None, metadata=_INT)
    tvdb_season: int | None = field(default=None, metadata=_INT)
    tvdb_number: int | None = field(default=None, metadata=_INT)


@dataclass(kw_only=True)
class Echo(DataClassDictMixin):
    """The reply of /scrobble/*: what was done, and with which title."""

    id: int | None = field(default=None, metadata=_INT)
    action: str | None = field(default=None, metadata=field_options(deserialize=text))
    rewatch_id: int | None = field(default=None, metadata=_INT)
    movie: Title | None = field(
        default=None, metadata=field_options(deserialize=one(Title))
    )
    show: Title | None = field(
        default=None, metadata=field_options(deserialize=one(Title))
    )
    anime: Title | None = field(
        default=None, metadata=field_options(deserialize=one(Title))
    )
    episode: EchoedEpisode | None = field(
        default=None, metadata=field_options(deserialize=one(EchoedEpisode))
    )

    def means(self, item: Movie | Episode) -> bool:
        """Say whether this is about `item`, as far as it can be told: False when nothing was matched."""
        block = self._block(item)
        if block is None:
            return False
        sent = _ids(item)
        # an anime is one title of several that share what TVDB and TMDB call a show
        names = NATIVE if self.anime is not None else frozenset(MATCHED)
        if _contradict(sent, block.ids, names):
            return False
        return isinstance(item, Movie) or self._is_episode(item)

    def proves(self, item: Movie | Episode) -> bool:
        """Say whether it was matched by an id of the title, not by its name."""
        block = self._block(item)
        return block is not None and block.ids.shares(_ids(item)) and self.means(item)

    def _block(self, item: Movie | Episode) -> Title | None:
        if isinstance(item, Episode):
            return self.show or self.anime
        # movies among the anime come under either name
        return self.movie or (self.anime if self.episode is None else None)

    def _is_episode(self, item: Episode) -> bool:
        found = self.episode
        if found is None:
            return True
        count = found.number if found.number is not None else found.episode
        if is_native(item.show):
            return count in (None, item.number)
        meant = item.season, item.number
        if found.tvdb_number is not None:
            return meant in (
                (found.tvdb_season, found.tvdb_number),
                (found.season, count),
            )
        return self.anime is not None or meant == (found.season, count)


def _ids(item: Movie | Episode) -> Ids:
    """Return the ids of the movie, or of the show."""
    return item.show.ids if isinstance(item, Episode) else item.ids


def _contradict(sent: Ids, told: Ids, names: frozenset[str]) -> bool:
    """Say whether both have ids of the same kind, and not one is the same."""
    common = [n for n in names if sent.get(n) is not None and told.get(n) is not None]
    return bool(common) and all(sent.get(n) != told.get(n) for n in common)
