"""Firstlight: the bookmarks that an operator's streaming service keeps (apis/kinopub_firstlight.md section 8).

Only reading is specified publicly. Creating and deleting bookmarks are inferred, so nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
import logging
from typing import ClassVar, Final

from yarl import URL

from ...account import Account, Capability
from ...library import Library, Play, Playback, PlaybackState, ShowDetail
from ...media import Episode, Ids, MediaItem, Playable
from ...writes import Outcome, Receipt, Write
from ..errors import Refused, SignInError, SignInRequired, TrackerError
from ..tracker import (
    Candidate,
    Field,
    FieldKind,
    Fields,
    Option,
    Page,
    Query,
    QueuedWrite,
    Refresh,
    SignInStep,
    Tracker,
    TrackerContext,
)
from .client import PAGE_SIZE, Client, UserTokenRefused
from .wire import Bookmark, Title, key_of

_LOGGER = logging.getLogger(__name__)

POLL: Final = 300.0
"""Seconds; operators' own apps write a bookmark once a minute."""
TITLES_SOON: Final = 60.0
"""Seconds until the next titles are asked for, while some never were."""
MOST_PAGES: Final = 50
TITLES_AT_ONCE: Final = 40
"""How many titles one refresh asks for: one request each, or two."""
READ_ALL_AFTER: Final = timedelta(hours=6)
"""Where there is more than one page, what vanished from a later one is found out by reading all."""
UNKNOWN_FOR: Final = timedelta(days=1)
"""How long a title that the content service does not tell is not asked for again."""
REST: Final = timedelta(minutes=30)
"""How long a content service that does not work is left alone."""
FEW: Final = 3
"""Bookmarks; from fewer nothing is concluded about the unit of offsets."""

UNIT: Final = Option(
    name="unit", choices=("milliseconds", "seconds"), default=("milliseconds",)
)

_PAGE: Final = "page"
_REST: Final = "rest"
_TITLE: Final = "title:"


class Firstlight(Tracker):
    """One user of one operator's server. A bookmark tells where somebody stopped, not what was watched."""

    key: ClassVar[str] = "firstlight"
    name: ClassVar[str] = "Firstlight"
    may: ClassVar[Capability] = Capability.PLAYBACKS | Capability.LOOK_UP_PLAYBACK
    sign_in: ClassVar[tuple[SignInStep, ...]] = (
        Fields(
            fields=(
                Field(name="base_url", kind=FieldKind.URL),
                Field(name="iam_token", kind=FieldKind.SECRET),
                Field(name="user_token", kind=FieldKind.SECRET),
                Field(name="profile", required=False),
            )
        ),
    )
    options: ClassVar[tuple[Option, ...]] = (UNIT,)

    def __init__(self, context: TrackerContext) -> None:
        """Open the account; nothing is asked of the server yet."""
        super().__init__(context)
        self._client = Client(context)
        self._unit = next(iter(context.chosen(UNIT)), "")
        self._all_read_at = datetime.min.replace(tzinfo=UTC)
        self._warned = False

    async def account(self) -> Account:
        """Try both tokens. The service tells nothing of the user."""
        try:
            await self._client.page(1)
        except UserTokenRefused as error:
            raise SignInError(str(error), key="invalid_user_token") from error
        except SignInRequired as error:
            raise SignInError(str(error), key="invalid_iam_token") from error
        return self._account()

    def _account(self) -> Account:
        """Return who signed in: the server, and the name that a second user of it was given.

        No token is part of it: they change.
        """
        server = URL(self.context.base_url or "")
        port = "" if server.is_default_port() else f":{server.port}"
        place = f"{server.host}{port}{server.path.rstrip('/')}"
        profile = self.context.credentials.get("profile", "").strip()
        return Account(
            id=f"{profile.casefold()}@{place}" if profile else place,
            name=profile or place,
            can=self.may,
        )

    # bookmarks ------------------------------------------------------------------------------------------------

    async def refresh(self, previous: Library | None) -> Refresh:
        """Bring the library up to date; one request when nothing moved.

        The list is newest first: what moved is on its first page.
        """
        now = self.context.now()
        old = previous or Library(account=self._account(), read_at=now)
        first = await self._client.page(1)
        page = self._fingerprint(first)
        due = len(first) >= PAGE_SIZE and (
            now - max(self._all_read_at, old.read_at) >= READ_ALL_AFTER
        )
        playbacks, untold, read_at = old.playbacks, _untold(old), old.read_at
        if previous is None or due or old.markers.get(_PAGE) != page:
            known = {_key(playback): playback for playback in old.playbacks}
            playbacks = self._made(await self._all(first), known, now)
            keys = [_key(playback) for playback in playbacks]
            untold = {
                key: untold.get(key, "")
                for key in keys
                if key in untold or key not in known
            }
            self._all_read_at = read_at = now
        rest = old.markers.get(_REST, "")
        if rest <= now.isoformat():
            playbacks, untold, rest = await self._titled(playbacks, untold, now)
        markers = {_PAGE: page, **({_REST: rest} if rest else {})}
        markers |= {_TITLE + key: when for key, when in untold.items()}
        account = self._account()
        library = replace(old, account=account, playbacks=playbacks, markers=markers)
        if previous is None or library != old:
            library = replace(library, read_at=read_at)
            self._check_unit(playbacks)
        else:
            library = old
        waiting = not rest and not all(untold.values())
        return Refresh(library=library, next_in=TITLES_SOON if waiting else POLL)

    async def _all(self, first: Sequence[Bookmark]) -> Sequence[Bookmark]:
        """Read on after the first page, up to a short one or one that holds nothing new; each item once."""
        rows: dict[str, Bookmark] = {}
        page, number = first, 1
        while True:
            known = len(rows)
            for row in page:
                if row.item:
                    rows.setdefault(row.key, row)
            if len(page) < PAGE_SIZE or len(rows) == known or number >= MOST_PAGES:
                return list(rows.values())
            number += 1
            page = await self._client.page(number)

    def _made(
        self, rows: Sequence[Bookmark], known: Mapping[str, Playback], now: datetime
    ) -> tuple[Playback, ...]:
        """Make playbacks, the newest first; titles that are known stay, others are bare ids for now."""
        made: list[Playback] = []
        for row in rows:
            before = known.get(row.key)
            item = before.item if before else _bare(row.item, row.episode)
            fresh = self._playback(row, item, now)
            made.append(before if before is not None and before == fresh else fresh)
        made.sort(key=lambda playback: playback.updated_at, reverse=True)
        return tuple(made)

    def _playback(self, row: Bookmark, item: Playable, now: datetime) -> Playback:
        position = row.offset
        if position is not None and self._unit != "seconds":
            position /= 1000
        playback = Playback(
            item=item,
            state=PlaybackState.PAUSED,
            updated_at=row.updated_at or now,
            position=position,
            id=row.item,
        )
        return _measured(playback, item)

    def _fingerprint(self, page: Sequence[Bookmark]) -> str:
        """Return what tells whether the first page, or the way to read it, changed."""
        rows = [(row.key, row.offset, row.at) for row in page]
        return sha256(f"{self._unit} {rows}".encode()).hexdigest()

    async def bookmark(self, item_id: str) -> Playback | None:
        row = await self._client.bookmark(item_id)
        if row is None:
            return None
        row.item = row.item or item_id
        try:
            item = await self._title(row.item, row.episode)
        except TrackerError as error:
            _LOGGER.debug("A bookmark without a title: %s", error)
            item = _bare(row.item, row.episode)
        return self._playback(row, item, self.context.now())

    # titles ---------------------------------------------------------------------------------------------------

    async def _titled(
        self, playbacks: tuple[Playback, ...], untold: Mapping[str, str], now: datetime
    ) -> tuple[tuple[Playback, ...], dict[str, str], str]:
        """Ask for titles that are not known: those never asked for first, and not too many at once.

        Returns the playbacks, when to ask for what is still not known, and until when the content service is left
        alone ("": it works).
        """
        by_key = {_key(playback): playback for playback in playbacks}
        later, rest = dict(untold), ""
        due = [key for key, when in untold.items() if when <= now.isoformat()]
        for key in sorted(due, key=lambda key: untold[key])[:TITLES_AT_ONCE]:
            playback = by_key[key]
            again = (now + UNKNOWN_FOR).isoformat()
            try:
                item = await self._title(str(playback.id), _episode_id(playback.item))
            except Refused as error:
                _LOGGER.debug("A title is not told: %s", error)
                later[key] = again
                continue
            except TrackerError as error:
                _LOGGER.debug("The content service does not work: %s", error)
                later[key] = rest = (now + REST).isoformat()
                break
            by_key[key] = _measured(playback, item)
            if isinstance(item, Episode) and not item.number:
                later[key] = again
            else:
                later.pop(key)
        return tuple(by_key.values()), later, rest

    async def _title(self, item: str, episode: str) -> Playable:
        """Ask the content service what an item is: its seasons too, where the title comes without the episode."""
        title = await self._client.title(item)
        if not episode and title.kind != "series":
            return title.movie(item)
        if episode and title.find(episode) is None:
            try:
                title.seasons = tuple(await self._client.seasons(item))
            except TrackerError as error:
                _LOGGER.debug("Seasons are not told: %s", error)
        return title.episode(item, episode)

    def _check_unit(self, playbacks: Sequence[Playback]) -> None:
        """Say it once when offsets look as if they were in the other unit."""
        rows = [p for p in playbacks if p.duration]
        if len(rows) < FEW or self._warned:
            return
        if self._unit == "seconds":
            wrong = all(p.position is None for p in rows)
        else:
            wrong = all(
                p.position and p.position * 1000 <= (p.duration or 0) for p in rows
            )
        if wrong:
            self._warned = True
            _LOGGER.warning(
                "The positions of %s do not look like %s; change the unit in its settings",
                self._account().name,
                self._unit,
            )

    # what bookmarks can't tell --------------------------------------------------------------------------------

    async def show(self, show: Ids) -> ShowDetail:
        raise Refused("bookmarks do not tell what was watched", key="not_supported")

    async def history(
        self, cursor: str | None = None, item: MediaItem | None = None
    ) -> Page[Play]:
        raise Refused("bookmarks are no plays", key="not_supported")

    async def search(self, query: Query) -> Sequence[Candidate]:
        raise Refused("no search", key="not_supported")

    def combine(self, writes: Sequence[Write]) -> int:
        return 1

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        return [
            Receipt(outcome=Outcome.REFUSED, reason="not_supported") for _ in writes
        ]


def _bare(item: str, episode: str) -> Playable:
    """Return what stands for a title that is not known."""
    return Title().episode(item, episode) if episode else Title().movie(item)


def _episode_id(item: Playable) -> str:
    return (item.ids.get("firstlight") or "") if isinstance(item, Episode) else ""


def _key(playback: Playback) -> str:
    return key_of(str(playback.id), _episode_id(playback.item))


def _untold(library: Library) -> dict[str, str]:
    """Return when to ask for which title again: an ISO time in UTC, or "" for those never asked for."""
    return {
        key.removeprefix(_TITLE): when
        for key, when in library.markers.items()
        if key.startswith(_TITLE)
    }


def _measured(playback: Playback, item: Playable) -> Playback:
    """Return the playback of this item, with what its length tells.

    A position beyond the end is in another unit, or of another cut: it is not shown.
    """
    duration = float(item.runtime) if item.runtime else None
    position = playback.position
    if duration and position is not None and position > duration:
        position = None
    progress = position / duration * 100 if duration and position is not None else None
    return replace(
        playback, item=item, duration=duration, position=position, progress=progress
    )
