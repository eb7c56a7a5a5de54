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
from homeassistant.helpers.storage import Store

from .const import DOMAIN
from .library import Library
from .outbox import OutboxEntry, State
from .trackers.oauth import Tokens
from .writes import Write

_LOGGER = logging.getLogger(__name__)

FILE: Final = f"{DOMAIN}.db"
SCHEMA_VERSION: Final = 1
SCHEMA: Final = """
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
"""

CACHE_VERSION: Final = 1
CACHE_DELAY: Final = 30.0
"""Seconds for which changes of a library are gathered before the cache is written."""
TOKENS_VERSION: Final = 1


class Database:
    """The integration's SQLite file: one connection, used on its own thread only."""

    def __init__(self, path: Path) -> None:
        """Name the file; `open` makes or opens it."""
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=DOMAIN)
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open the file and bring its schema up to date. A file from a newer version raises RuntimeError."""
        await self._in_thread(self._open)

    async def run[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction; when this returns, it is on disk."""
        return await self._in_thread(lambda: self._transaction(work))

    async def close(self) -> None:
        """Finish what was begun and close the file."""
        await self._in_thread(self._close)
        self._thread.shutdown(wait=False)

    async def _in_thread[T](self, function: Callable[[], T]) -> T:
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
        if version == 0:
            connection.executescript(
                f"BEGIN; {SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
            )
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

        def work(connection: sqlite3.Connection) -> list[OutboxEntry]:
            return [self._insert(connection, write, created_at) for write in writes]

        return await self._database.run(work)

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

    def _insert(
        self, connection: sqlite3.Connection, write: Write, created_at: datetime
    ) -> OutboxEntry:
        cursor = connection.execute(
            "INSERT INTO outbox (account, write, created_at, state) VALUES (?, ?, ?, ?)",
            (
                self._account,
                _encode_write(write).decode(),
                created_at.isoformat(),
                State.PENDING,
            ),
        )
        assert cursor.lastrowid is not None
        return OutboxEntry(id=cursor.lastrowid, write=write, created_at=created_at)


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


class LibraryCache:
    """The last library of one account: on screen at start-up before any request. May be lost at any time."""

    def __init__(self, hass: HomeAssistant, account: str) -> None:
        """Keep the library of `account`, the config entry's id."""
        self._hass = hass
        self._store: Store[_StoredLibrary] = Store(
            hass, CACHE_VERSION, f"{DOMAIN}.library.{account}"
        )

    async def load(self) -> Cached | None:
        """Return the cached library; None when there is none that this version can read."""
        try:
            stored = await self._store.async_load()
            if stored is None:
                return None
            library = await self._hass.async_add_executor_job(
                _decode_library, stored["library"]
            )
            return Cached(
                library=library,
                refreshed_at=datetime.fromisoformat(stored["refreshed_at"]),
            )
        except (ValueError, LookupError, TypeError, NotImplementedError) as error:
            _LOGGER.debug("The cached library can't be read: %s", type(error).__name__)
            return None

    async def save(self, library: Library, refreshed_at: datetime) -> None:
        """Write the library; it is encoded off the event loop, and stored as one string."""
        text = await self._hass.async_add_executor_job(
            lambda: _encode_library(library).decode()
        )
        await self._store.async_save(
            {"refreshed_at": refreshed_at.astimezone(UTC).isoformat(), "library": text}
        )

    async def remove(self) -> None:
        """Forget the library."""
        await self._store.async_remove()
