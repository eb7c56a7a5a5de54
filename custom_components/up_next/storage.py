"""What the integration keeps: its SQLite file, and stores for tokens and library caches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
import logging
from pathlib import Path
import sqlite3
from typing import Final, TypedDict

from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder
import orjson

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .executor import async_run
from .library import Library, Play
from .outbox import OutboxEntry, State
from .trackers.oauth import Tokens
from .trackers.tracker import ArchiveCount, ArchivedPlay
from .writes import Write

_LOGGER = logging.getLogger(__name__)

FILE: Final = f"{DOMAIN}.db"
MIGRATIONS: Final = (
    """
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    write TEXT NOT NULL,
    created_at TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    placeholders TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX outbox_account ON outbox (account, id);
""",
    """
CREATE TABLE archive (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    title TEXT NOT NULL,
    watched_on TEXT NOT NULL,
    source TEXT NOT NULL,
    entry TEXT,
    logged_at TEXT NOT NULL,
    play TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX archive_viewing ON archive (account, title, watched_on);
CREATE INDEX archive_entry ON archive (account, entry);
CREATE INDEX archive_newest ON archive (account, watched_on DESC, logged_at DESC, id DESC);
""",
    """
CREATE TABLE session (
    audience TEXT NOT NULL,
    place INTEGER NOT NULL,
    session TEXT NOT NULL,
    PRIMARY KEY (audience, place)
) STRICT;
CREATE TABLE counted (
    audience TEXT NOT NULL,
    viewing TEXT NOT NULL,
    counted_at TEXT NOT NULL,
    counted TEXT NOT NULL,
    PRIMARY KEY (audience, viewing)
) STRICT;
CREATE INDEX counted_newest ON counted (audience, counted_at);
CREATE TABLE decision (
    signature TEXT PRIMARY KEY,
    by_person INTEGER NOT NULL,
    expires_at TEXT,
    decision TEXT NOT NULL
) STRICT;
CREATE TABLE waiting (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    signature TEXT NOT NULL,
    waiting TEXT NOT NULL
) STRICT;
CREATE INDEX waiting_signature ON waiting (signature);
""",
)
"""What makes a file of one version one of the next, from an empty file on; never changed once released."""
SCHEMA_VERSION: Final = len(MIGRATIONS)

CACHE_VERSION: Final = 2
CACHE_DELAY: Final = 30.0
"""Seconds for which changes of a library are gathered before the cache is written."""
TOKENS_VERSION: Final = 1


DATABASE: Final[HassKey[Database]] = HassKey(f"{DOMAIN}_database")


class Database:
    """The integration's SQLite file: one connection, used on its own thread only."""

    def __init__(self, path: Path) -> None:
        """Name the file; `open` makes or opens it."""
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=DOMAIN)
        self._connection: sqlite3.Connection | None = None
        self._ended = False

    async def open(self) -> None:
        """Open the file and bring its schema up to date. A file from a newer version raises RuntimeError."""
        try:
            await self._in_thread(self._open)
        except BaseException:
            await self._end_thread()
            raise

    async def run[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction; when this returns, it is on disk."""
        return await self._in_thread(lambda: self._transaction(work))

    async def close(self) -> None:
        """Finish what was begun and close the file. Once closed, or never opened, there is nothing to do."""
        if not self._ended:
            await self._in_thread(self._close)
            await self._end_thread()

    async def _end_thread(self) -> None:
        self._ended = True
        # waited for elsewhere: the thread may have a moment left to live
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._thread.shutdown)

    async def _in_thread[T](self, function: Callable[[], T]) -> T:
        if self._ended:
            raise RuntimeError("the database is closed")
        # shielded: a cancelled caller must not leave in doubt whether its change was stored
        return await asyncio.shield(
            asyncio.get_running_loop().run_in_executor(self._thread, function)
        )

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._path, check_same_thread=False, isolation_level=None
        )
        connection.execute("PRAGMA journal_mode=WAL")
        # a write must survive a power cut from the moment its caller was told that it is stored
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            connection.close()
            raise RuntimeError(f"{FILE} was written by a newer version of Up Next")
        if version < SCHEMA_VERSION:
            steps = "".join(MIGRATIONS[version:])
            try:
                connection.executescript(
                    f"BEGIN IMMEDIATE; {steps} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
                )
            except sqlite3.Error:
                # what was begun is undone with the connection
                connection.close()
                raise
        self._connection = connection

    def _transaction[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            raise RuntimeError("the database is closed")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(self._connection)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return result

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_encode_write = ORJSONEncoder(Write).encode
_decode_write = ORJSONDecoder(Write).decode


def insert_writes(
    connection: sqlite3.Connection,
    account: str,
    writes: Sequence[Write],
    created_at: datetime,
) -> list[OutboxEntry]:
    """Store new writes of `account` (the config entry's id), in order, in the transaction that `connection` is in.

    For what must be stored together with something else; `Outbox.adopt` then gets the entries sent.
    """
    entries: list[OutboxEntry] = []
    for write in writes:
        cursor = connection.execute(
            "INSERT INTO outbox (account, write, created_at, state) VALUES (?, ?, ?, ?)",
            (
                account,
                _encode_write(write).decode(),
                created_at.isoformat(),
                State.PENDING,
            ),
        )
        assert cursor.lastrowid is not None
        entries.append(
            OutboxEntry(id=cursor.lastrowid, write=write, created_at=created_at)
        )
    return entries


class OutboxTable:
    """The outbox rows of one account (`outbox.OutboxStore`)."""

    def __init__(self, database: Database, account: str) -> None:
        """Keep rows under `account`, the config entry's id."""
        self._database = database
        self._account = account

    async def load(self) -> Sequence[OutboxEntry]:
        """Return all entries in order. A row that can't be read any more is logged and left alone."""
        return await self._database.run(self._load)

    async def add(
        self, writes: Sequence[Write], created_at: datetime
    ) -> Sequence[OutboxEntry]:
        """Store new writes, in order."""
        return await self._database.run(
            lambda connection: insert_writes(
                connection, self._account, writes, created_at
            )
        )

    async def update(self, entries: Sequence[OutboxEntry]) -> None:
        """Store the changed state of entries."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "UPDATE outbox SET state = ?, attempts = ?, reason = ?, placeholders = ? WHERE id = ?",
                [
                    (
                        e.state,
                        e.attempts,
                        e.reason,
                        orjson.dumps(dict(e.placeholders)).decode(),
                        e.id,
                    )
                    for e in entries
                ],
            )

        if entries:
            await self._database.run(work)

    async def remove(self, ids: Sequence[int]) -> None:
        """Forget entries."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "DELETE FROM outbox WHERE id = ?", [(entry_id,) for entry_id in ids]
            )

        await self._database.run(work)

    async def clear(self) -> None:
        """Forget all entries of the account."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM outbox WHERE account = ?", (self._account,))

        await self._database.run(work)

    def _load(self, connection: sqlite3.Connection) -> list[OutboxEntry]:
        rows = connection.execute(
            "SELECT id, write, created_at, state, attempts, reason, placeholders FROM outbox"
            " WHERE account = ? ORDER BY id",
            (self._account,),
        )
        entries: list[OutboxEntry] = []
        for entry_id, write, created_at, state, attempts, reason, placeholders in rows:
            try:
                entries.append(
                    OutboxEntry(
                        id=entry_id,
                        write=_decode_write(write),
                        created_at=datetime.fromisoformat(created_at),
                        state=State(state),
                        attempts=attempts,
                        reason=reason,
                        placeholders=orjson.loads(placeholders),
                    )
                )
            except ValueError:
                _LOGGER.exception("A stored write (row %d) can't be read", entry_id)
        return entries


_encode_play = ORJSONEncoder(Play).encode
_decode_play = ORJSONDecoder(Play).decode
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


class ArchiveTable:
    """The archived plays of one account (`trackers.tracker.PlayArchive`).

    Keyed by the account, not the entry: nothing is deleted with the entry, and all is there when it comes back.
    """

    def __init__(self, database: Database, account: str) -> None:
        """Keep plays under `account`, the config entry's unique id."""
        self._database = database
        self._account = account

    async def put(
        self, source: str, plays: Sequence[ArchivedPlay], *, window: bool = False
    ) -> None:
        """Add plays, or bring them up to date; what is known already is not written again."""

        def work(connection: sqlite3.Connection) -> None:
            for archived in plays:
                self._put(connection, source, archived)
            if window:
                self._forget(connection, source, plays)

        await self._database.run(work)

    async def read(self, limit: int | None = None, offset: int = 0) -> Sequence[Play]:
        """Return plays, those watched last first. One that can't be read any more is logged and left out."""

        def work(connection: sqlite3.Connection) -> list[Play]:
            rows = connection.execute(
                "SELECT id, play FROM archive WHERE account = ?"
                " ORDER BY watched_on DESC, logged_at DESC, id DESC LIMIT ? OFFSET ?",
                (self._account, -1 if limit is None else limit, offset),
            )
            plays: list[Play] = []
            for row_id, play in rows:
                try:
                    plays.append(_decode_play(play))
                except (ValueError, LookupError, TypeError):
                    _LOGGER.exception("An archived play (row %d) can't be read", row_id)
            return plays

        return await self._database.run(work)

    async def count(self) -> ArchiveCount:
        """Return how much is kept."""

        def work(connection: sqlite3.Connection) -> ArchiveCount:
            (plays, titles) = connection.execute(
                "SELECT COUNT(*), COUNT(DISTINCT title) FROM archive WHERE account = ?",
                (self._account,),
            ).fetchone()
            return ArchiveCount(plays=plays, titles=titles)

        return await self._database.run(work)

    def _put(
        self, connection: sqlite3.Connection, source: str, archived: ArchivedPlay
    ) -> None:
        play = archived.play
        fresh = (
            archived.title,
            play.watched_on.isoformat() if play.watched_on else "",
            source,
            play.id,
            _moment(archived.logged_at),
            _encode_play(play).decode(),
        )
        known = connection.execute(
            # not with OR, which would read through the whole account
            "SELECT id, title, watched_on, source, entry, logged_at, play FROM archive"
            " WHERE account = ? AND title = ? AND watched_on = ?"
            " UNION "
            "SELECT id, title, watched_on, source, entry, logged_at, play FROM archive"
            " WHERE account = ? AND entry = ?",
            (self._account, *fresh[:2], self._account, play.id),
        ).fetchall()
        if [row[1:] for row in known] == [fresh]:
            return
        connection.executemany(
            "DELETE FROM archive WHERE id = ?", [row[:1] for row in known]
        )
        connection.execute(
            "INSERT INTO archive (account, title, watched_on, source, entry, logged_at, play)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._account, *fresh),
        )

    def _forget(
        self,
        connection: sqlite3.Connection,
        source: str,
        plays: Sequence[ArchivedPlay],
    ) -> None:
        """Delete what a window should hold by both orders, that of logging and that of watching, and does not."""
        logged = min((a.logged_at for a in plays if a.logged_at), default=None)
        watched = min(
            (a.play.watched_on for a in plays if a.play.watched_on), default=None
        )
        if logged is None or watched is None:
            return
        told = {archived.play.id for archived in plays}
        rows = connection.execute(
            "SELECT id, entry FROM archive"
            " WHERE account = ? AND source = ? AND logged_at > ? AND watched_on > ?",
            (self._account, source, _moment(logged), watched.isoformat()),
        ).fetchall()
        connection.executemany(
            "DELETE FROM archive WHERE id = ?",
            [(row_id,) for row_id, entry in rows if entry not in told],
        )


def _moment(at: datetime | None) -> str:
    """Write an instant so that the order of texts is that of times; unknown comes before all."""
    return (at or _BEGINNING).astimezone(UTC).isoformat(timespec="microseconds")


_LOCKS: Final[HassKey[dict[str, asyncio.Lock]]] = HassKey(f"{DOMAIN}_token_locks")


class _StoredTokens(TypedDict):
    access: str
    expires_at: str
    refresh: str | None
    scope: str | None


class TokensOnDisk:
    """The tokens of one account in a private store of their own (`trackers.oauth.TokenStore`).

    Keyed by the account, not the entry: they are saved before the entry exists.
    """

    def __init__(self, hass: HomeAssistant, account: str) -> None:
        """Keep the tokens of `account`, the config entry's unique id."""
        self._store: Store[_StoredTokens] = Store(
            hass,
            TOKENS_VERSION,
            f"{DOMAIN}.tokens.{_file_name(account)}",
            private=True,
            atomic_writes=True,
        )
        locks = hass.data.setdefault(_LOCKS, {})
        self.lock = locks.setdefault(account, asyncio.Lock())

    async def load(self) -> Tokens | None:
        """Return the tokens as last saved."""
        if (stored := await self._store.async_load()) is None:
            return None
        return Tokens(
            access=stored["access"],
            expires_at=datetime.fromisoformat(stored["expires_at"]),
            refresh=stored["refresh"],
            scope=stored["scope"],
        )

    async def save(self, tokens: Tokens) -> None:
        """Keep the tokens; returns when they are on disk."""
        await self._store.async_save(
            {
                "access": tokens.access,
                "expires_at": tokens.expires_at.isoformat(),
                "refresh": tokens.refresh,
                "scope": tokens.scope,
            }
        )

    async def replace(self, tokens: Tokens) -> None:
        """Keep the tokens of a new sign-in; returns when they are on disk.

        A refresh of the former ones that is under way ends first: what it brings must not replace these.
        """
        async with self.lock:
            await self.save(tokens)

    async def remove(self) -> None:
        """Forget the tokens."""
        await self._store.async_remove()


def _file_name(account: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else f"%{ord(c):x}" for c in account)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """A library as it was when Home Assistant last saved it, and when it was last read successfully (UTC)."""

    library: Library
    refreshed_at: datetime


_encode_library = ORJSONEncoder(Library).encode
_decode_library = ORJSONDecoder(Library).decode


class _StoredLibrary(TypedDict):
    refreshed_at: str
    library: str


def _library_store(hass: HomeAssistant, key: str) -> Store[_StoredLibrary]:
    """Return a store that is written off the event loop: 5,000 shows are 7 MB of text."""
    try:
        return Store(
            hass,
            CACHE_VERSION,
            key,
            serialize_in_event_loop=False,  # type: ignore[call-arg, unused-ignore]
        )
    except TypeError:
        # before Home Assistant 2025.12 no store was serialised in the event loop
        return Store(hass, CACHE_VERSION, key)


class LibraryCache:
    """The last library of one account: on screen at start-up before any request. May be lost at any time."""

    def __init__(self, hass: HomeAssistant, account: str) -> None:
        """Keep the library of `account`, the config entry's id."""
        self._hass = hass
        self._store = _library_store(hass, f"{DOMAIN}.library.{account}")

    async def load(self) -> Cached | None:
        """Return the cached library; None when there is none that this version can read."""
        try:
            stored = await self._store.async_load()
            if stored is None:
                return None
            library = await async_run(self._hass, _decode_library, stored["library"])
            return Cached(
                library=library,
                refreshed_at=datetime.fromisoformat(stored["refreshed_at"]),
            )
        except (
            HomeAssistantError,
            ValueError,
            LookupError,
            TypeError,
            NotImplementedError,
        ) as error:
            _LOGGER.debug("The cached library can't be read: %s", type(error).__name__)
            return None

    async def save(self, library: Library, refreshed_at: datetime) -> None:
        """Write the library; it is encoded off the event loop, and stored as one string."""
        text = await async_run(self._hass, lambda: _encode_library(library).decode())
        await self._store.async_save(
            {"refreshed_at": refreshed_at.astimezone(UTC).isoformat(), "library": text}
        )

    async def remove(self) -> None:
        """Forget the library."""
        await self._store.async_remove()
