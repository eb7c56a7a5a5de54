"""From KinoPub's rows to the project's media items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
import re
from typing import Final

from yarl import URL

from ...library import EpisodeDetail, ShowDetail, ShowProgress
from ...media import Episode, Ids, Movie, Show
from .wire import STARTED, WATCHED, Head, Item, Media, Season, Video

IMAGE_HOSTS: Final = frozenset({"m.pushbr.com", "cdn.service-kp.com"})
_PLACEHOLDER: Final = re.compile(r"s\d+e\d+", re.IGNORECASE)


def instant(epoch: int) -> datetime | None:
    """Turn epoch seconds into UTC; None for 0 and for what no calendar has."""
    try:
        return datetime.fromtimestamp(epoch, UTC) if epoch > 0 else None
    except (OverflowError, ValueError, OSError):
        return None


def names(title: str) -> tuple[str, str]:
    """Split "Local / Original"; both are the same where the title has one name only.

    Whether a further " / " belongs to the one or the other can't be known: the first one divides.
    """
    local, _, original = title.partition(" / ")
    return local.strip(), original.strip() or local.strip()


def is_placeholder(title: str) -> bool:
    """Say whether an episode's title is only its numbers."""
    return _PLACEHOLDER.fullmatch(title) is not None


def picture(url: str | None) -> str | None:
    """Return a picture's address; the service's own hosts speak https though some addresses say http."""
    if not url:
        return None
    try:
        address = URL(url)
        return str(address.with_scheme("https") if address.host in IMAGE_HOSTS else url)
    except ValueError:
        return None


def ids(head: Head) -> Ids:
    """Collect the ids; KinoPub knows no others."""
    return Ids.of(kinopub=head.id, imdb=head.imdb, kinopoisk=head.kinopoisk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """Makes media items; `local` chooses the local name of a title, else the original one is taken."""

    local: bool = False

    def name(self, title: str) -> str:
        """Return the name to show for a "Local / Original" title."""
        return names(title)[0 if self.local else 1]

    def show(self, head: Head) -> Show:
        """Make a show."""
        runtime = head.duration if isinstance(head, Item) else 0
        return Show(
            title=self.name(head.title),
            ids=ids(head),
            year=head.year or None,
            runtime=runtime or None,
            picture=picture(head.poster),
        )

    def movie(self, head: Head, runtime: int = 0) -> Movie:
        """Make a movie; `runtime` in seconds, 0 where unknown."""
        return Movie(
            title=self.name(head.title),
            ids=ids(head),
            year=head.year or None,
            runtime=runtime or None,
            picture=picture(head.poster),
        )

    def episode(self, show: Show, season: int, video: Video | Media) -> Episode:
        """Make an episode. There are no air dates: what KinoPub has is out."""
        title = self.name(video.title)
        return Episode(
            show=show,
            season=season,
            number=video.number,
            title=None if not title or is_placeholder(title) else title,
            ids=Ids.of(kinopub=video.id),
            runtime=video.duration or None,
            picture=picture(video.thumbnail),
        )

    def detail(self, item: Item, show: Show) -> ShowDetail:
        """Return all episodes with what was watched."""
        return ShowDetail(
            show=show,
            key=str(item.id),
            episodes=tuple(
                EpisodeDetail(
                    episode=self.episode(show, season.number, video),
                    watched=video.status == WATCHED,
                    last_watched_at=watched_at(video),
                    plays=int(video.status == WATCHED),
                    released=True,
                )
                for season in regular_order(item)
                for video in sorted(season.episodes, key=lambda v: v.number)
            ),
        )


def regular_order(item: Item) -> list[Season]:
    """Return the seasons by number."""
    return sorted(item.seasons, key=lambda s: s.number)


def watched_at(video: Video) -> datetime | None:
    """Return when a watched video was watched; `updated` says so only while it is watched."""
    return instant(video.updated) if video.status == WATCHED else None


def started(item: Item) -> Iterator[tuple[int, Video]]:
    """Yield (season number, video) of what was started and not finished; 0 for the parts of a movie."""
    for season in regular_order(item):
        for video in season.episodes:
            if video.status == STARTED:
                yield season.number, video
    for video in item.videos:
        if video.status == STARTED:
            yield 0, video


def movie_status(item: Item) -> int:
    """Return whether a movie was watched: all of its parts, or it was not."""
    states = {video.status for video in item.videos}
    if not states:
        return -1
    return states.pop() if len(states) == 1 else STARTED


def movie_runtime(item: Item) -> int:
    """Return the length of all parts in seconds."""
    return sum(video.duration for video in item.videos)


def progress(detail: ShowDetail, item: Item, now: datetime) -> ShowProgress:
    """Count, and choose the next episode: the first started one, else by the common rule (section 5)."""
    counted = detail.progress(now)
    for season, video in started(item):
        if season > 0 and (found := detail.find(season, video.number)):
            return replace(counted, next_episode=found.episode)
    return counted


def enriched(new: Show, old: Show | None) -> Show:
    """Keep what is known of a show that a shorter row does not tell."""
    if old is None:
        return new
    merged = replace(
        new,
        ids=new.ids.merged(old.ids),
        year=new.year or old.year,
        runtime=new.runtime or old.runtime,
        picture=new.picture or old.picture,
    )
    return old if merged == old else merged
