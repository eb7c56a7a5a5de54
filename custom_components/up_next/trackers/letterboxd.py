"""Letterboxd by the member's public RSS feed (apis/letterboxd_tvtime_tautulli_plex.md sections 1.1 and 1.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
import html
import re
from typing import ClassVar, Final, Self
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import ParseError, fromstring

from ..account import Account, Capability
from ..library import Library, Play, ShowDetail, Totals
from ..media import Ids, MediaItem, Movie
from ..writes import Outcome, Receipt, Write
from .errors import (
    AccessDenied,
    BadAnswer,
    RateLimited,
    Refused,
    SignInError,
    TrackerError,
    Unavailable,
)
from .tracker import (
    ArchivedPlay,
    Candidate,
    Field,
    Fields,
    Page,
    PlayArchive,
    Query,
    QueuedWrite,
    Refresh,
    SignInStep,
    Tracker,
    TrackerContext,
)
from .transport import Answer, Pace, Transport

SITE: Final = "https://letterboxd.com"
POLL: Final = 45 * 60.0
SOURCE: Final = "rss"
RECENT: Final = 50
"""Plays in the library; the rest is read from the archive on request."""
PAGE: Final = 100
MAX_FEED: Final = 8 * 1024**2
"""Bytes; 50 entries with long reviews stay far below."""
SLOW_DOWN: Final = 900.0
"""Seconds to wait after "too many requests" that does not say for how long."""
_VALIDATORS: Final = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
_ADDRESS: Final = re.compile(r"(?:https?://)?(?:www\.)?letterboxd\.com/([^/?#]*).*")
_USERNAME: Final = re.compile(r"[a-z0-9_-]{1,64}")
_SLUG: Final = re.compile(r"/film/([^/?#]+)")
_IMAGE: Final = re.compile(r"""<img [^>]{0,200}?src=["'](https?://[^"'<>\s]{1,1000})""")


class Letterboxd(Tracker):
    """The diary of one Letterboxd member, read only.

    The feed tells the newest 50 entries; the archive keeps what it told before. What was logged without a date is a
    play of unknown time. Series that Letterboxd counts among its films are movies here, without a TMDB movie id.
    """

    key: ClassVar[str] = "letterboxd"
    name: ClassVar[str] = "Letterboxd"
    may: ClassVar[Capability] = Capability.HISTORY | Capability.TOTALS
    sign_in: ClassVar[tuple[SignInStep, ...]] = (
        Fields(fields=(Field(name="username"),), links={"site": SITE}),
    )
    image_hosts: ClassVar[frozenset[str]] = frozenset({"a.ltrbxd.com"})

    def __init__(self, context: TrackerContext) -> None:
        """Open the account; nothing is asked of the service yet."""
        super().__init__(context)
        self._username = username_of(context.credentials.get("username", ""))
        self._transport = Transport(
            context,
            context.base_url or SITE,
            classify=_classify,
            pace=Pace(parallel=1),
            headers={"Accept": "application/rss+xml, application/xml;q=0.9"},
            hidden={"username": self._username},
        )
        self._validators: Mapping[str, str] = {}
        """Headers that ask for the feed only if it changed since it was last archived.

        Kept in memory only: after a restart the feed is read whole once, so an archive that was lost fills again.
        """

    @classmethod
    def keep(cls, credentials: Mapping[str, str]) -> Mapping[str, str]:
        """Keep the user name instead of a pasted address."""
        typed = credentials.get("username", "")
        return {**credentials, "username": username_of(typed) or typed}

    async def account(self) -> Account:
        if not self._username:
            raise SignInError("not a user name", key="invalid_username")
        try:
            answer = await self._transport.get("/{username}/rss/")
        except AccessDenied as error:
            if error.translation_key != "user_not_found":
                raise
            raise SignInError(str(error), key="user_not_found") from error
        return self._account(await self._parse(answer))

    def _account(self, feed: Feed) -> Account:
        return Account(
            id=self._username,
            name=feed.name or self._username,
            can=self.may,
            url=f"{SITE}/{self._username}/",
        )

    # reading --------------------------------------------------------------------------------------------------

    async def refresh(self, previous: Library | None) -> Refresh:
        """Read the feed into the archive, and the library from there. Always one request."""
        answer = await self._transport.get(
            "/{username}/rss/", headers=self._validators if previous else None
        )
        account = previous.account if previous else None
        if account is None or answer.status != 304:
            feed = await self._parse(answer)
            account = self._account(feed)
            await self._archive.put(SOURCE, feed.plays, window=True)
            # only now: what was not archived must be told again
            self._validators = {
                asks: answer.headers[offers]
                for offers, asks in _VALIDATORS.items()
                if offers in answer.headers
            }
        count = await self._archive.count()
        library = Library(
            account=account,
            read_at=self.context.now(),
            plays=tuple(await self._archive.read(RECENT)),
            totals=Totals(movies=count.titles),
        )
        if previous and replace(library, read_at=previous.read_at) == previous:
            library = previous
        return Refresh(library=library, next_in=POLL)

    @property
    def _archive(self) -> PlayArchive:
        if self.context.archive is None:
            raise RuntimeError("no archive was handed in")
        return self.context.archive

    async def _parse(self, answer: Answer) -> Feed:
        """Read the feed off the event loop. Raises BadAnswer for anything that is not one."""
        if len(answer.body) > MAX_FEED:
            raise BadAnswer(f"{answer.path}: {len(answer.body)} bytes")
        try:
            return await self.context.run(read_feed, answer.body)
        except (ParseError, ValueError, LookupError) as error:
            raise BadAnswer(f"{answer.path}: {type(error).__name__}") from error

    async def history(
        self, cursor: str | None = None, item: MediaItem | None = None
    ) -> Page[Play]:
        """Read the archive; `cursor` is the number of plays before the page."""
        if item is not None:
            plays = await self._archive.read()
            return Page(items=tuple(p for p in plays if _same(p.item, item)))
        offset = int(cursor or 0)
        count = await self._archive.count()
        following = offset + PAGE
        return Page(
            items=tuple(await self._archive.read(PAGE, offset)),
            cursor=str(following) if following < count.plays else None,
            total=count.plays,
        )

    async def show(self, show: Ids) -> ShowDetail:
        raise Refused("films only", key="not_supported")

    async def search(self, query: Query) -> Sequence[Candidate]:
        raise Refused("no search", key="not_supported")

    # writing --------------------------------------------------------------------------------------------------

    def combine(self, writes: Sequence[Write]) -> int:
        return len(writes)

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        return [
            Receipt(outcome=Outcome.REFUSED, reason="not_supported") for _ in writes
        ]


def username_of(typed: str) -> str:
    """Return the user name in what was typed, also in the address of any page of theirs; "" when there is none."""
    text = typed.strip().lower()
    if address := _ADDRESS.fullmatch(text):
        text = address[1]
    text = text.strip("/").removeprefix("@")
    return text if _USERNAME.fullmatch(text) else ""


def _classify(answer: Answer) -> TrackerError | None:
    """Name the error. A firewall's 403 says nothing about the user; a private profile may look like an unknown one."""
    status = answer.status
    what = f"{answer.path}: {status}"
    if status in (200, 304):
        return None
    if status == 403:
        return AccessDenied(what, key="blocked")
    if status in (404, 410):
        return AccessDenied(what, key="user_not_found")
    if status == 429:
        return RateLimited(answer.retry_after or SLOW_DOWN, what)
    return Unavailable(what) if status >= 500 else BadAnswer(what)


def _same(one: MediaItem, other: MediaItem) -> bool:
    """Compare by ids; by title and year where the two have no kind of id in common."""
    if one.type is not other.type:
        return False
    if one.ids.values.keys() & other.ids.values.keys():
        return one.ids.shares(other.ids)
    return one.label == other.label


# the feed -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What a feed tells: the member's display name ("" when missing) and their newest plays, the oldest first."""

    name: str
    plays: tuple[ArchivedPlay, ...]


def read_feed(body: bytes) -> Feed:
    """Read a feed. Raises ParseError, ValueError or LookupError for anything else: a page, broken or hostile XML."""
    root: Element = fromstring(body, forbid_dtd=True)
    channel = next((child for child in root if _local(child) == "channel"), None)
    if _local(root) != "rss" or channel is None:
        raise ValueError("not a feed")
    # the feed is newest first, which decides between entries of the same second
    entries = [
        entry
        for item in reversed(channel)
        if _local(item) == "item" and (entry := Entry.of(item)) is not None
    ]
    entries.sort(key=lambda e: e.logged_at or _BEGINNING)
    # Of two logs of one film on one day the later one stays; the id of an entry changes when a review is added.
    by_viewing = {(entry.film, entry.watched_on): entry for entry in entries}
    by_guid = {
        entry.guid or f"{entry.film} {entry.watched_on}": entry
        for entry in by_viewing.values()
    }
    title = next((_text(child) for child in channel if _local(child) == "title"), "")
    return Feed(
        name=title.removeprefix("Letterboxd - ").strip(),
        plays=tuple(entry.archived() for entry in by_guid.values()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One film of the feed. `rating` is 1-10, `film` identifies the film."""

    guid: str
    film: str
    movie: Movie
    logged_at: datetime | None
    watched_on: date | None
    rating: int | None
    rewatch: bool
    liked: bool | None

    @classmethod
    def of(cls, item: Element) -> Self | None:
        """Read an item; None for a list, which has no film.

        Elements go by their local names: namespaces are not to be relied on.
        """
        values: dict[str, str] = {}
        for child in item:
            values.setdefault(_local(child), _text(child))
        title = values.get("filmTitle")
        if not title:
            return None
        link = values.get("link", "")
        slug = _SLUG.search(link)
        ids = Ids.of(
            tmdb=_digits(values.get("movieId")),
            # another number space than that of movies
            tmdb_tv=_digits(values.get("tvId")),
            letterboxd=slug[1] if slug else None,
        )
        year = _digits(values.get("filmYear"))
        image = _IMAGE.search(values.get("description", ""))
        guid = values.get("guid", "")
        return cls(
            guid=guid,
            film=next(
                (f"{namespace}:{value}" for namespace, value in ids.values.items()),
                guid or title,
            ),
            movie=Movie(
                title=title,
                ids=ids,
                year=int(year) if year and len(year) == 4 else None,
                url=link if link.startswith("https://") else None,
                picture=html.unescape(image[1]) if image else None,
            ),
            logged_at=_instant(values.get("pubDate")),
            watched_on=_date(values.get("watchedDate")),
            rating=_rating(values.get("memberRating")),
            rewatch=_yes(values.get("rewatch")) or False,
            liked=_yes(values.get("memberLike")),
        )

    def archived(self) -> ArchivedPlay:
        """Return the entry as the archive takes it."""
        play = Play(
            item=self.movie,
            id=self.guid or None,
            watched_on=self.watched_on,
            rating=self.rating,
            rewatch=self.rewatch,
            liked=self.liked,
        )
        return ArchivedPlay(play=play, title=self.film, logged_at=self.logged_at)


_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: Element) -> str:
    return (element.text or "").strip()


def _digits(text: str | None) -> str | None:
    return text if text and re.fullmatch(r"[0-9]{1,12}", text) else None


def _yes(text: str | None) -> bool | None:
    return {"yes": True, "no": False}.get((text or "").lower())


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _instant(text: str | None) -> datetime | None:
    """Read an RFC 822 date, which is in New Zealand's time; None when it is none."""
    try:
        at = parsedate_to_datetime(text or "")
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _rating(text: str | None) -> int | None:
    """Return 0.5-5 as 1-10."""
    try:
        doubled = float(text or "") * 2
    except ValueError:
        return None
    return round(doubled) if 1 <= doubled <= 10 else None
