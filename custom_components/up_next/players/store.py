"""What scrobbling keeps: viewings under way, those that were counted, decisions about titles, plays that wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
import logging
import sqlite3
from typing import Final

from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder

from ..media import Movie, Playable, Show
from ..outbox import OutboxEntry
from ..scrobbling.identify import Decision
from ..scrobbling.ledger import Counted
from ..scrobbling.observation import Media
from ..scrobbling.saved import SavedSession
from ..storage import Database, insert_writes
from ..writes import Scrobble, ScrobbleAction, Write

_LOGGER = logging.getLogger(__name__)

REMEMBERED: Final = timedelta(days=365)
"""How long a counted viewing is remembered: to be moved, undone, or told from a new one."""
WAITS: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedPlay:
    """A viewing that was counted, for one account or (audience = its key) shown by one player.

    `item` is None while it waits for a decision. `play_ids` are the service's, once it has answered. `at` is UTC.
    `added` says whether a play was added for it at the account, None while that is not known. `media` is what the
    player said.
    """

    audience: str
    viewing: str
    signature: str
    player: str
    item: Playable | None
    at: datetime
    counted: Counted
    play_ids: tuple[str, ...] = ()
    added: bool | None = None
    media: Media | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPlay:
    """A play that waits until a person says what it was.

    `account` is the unique id of the one to be told. `at` and `started_at` are UTC, `progress` is percent. `guess` is
    what it most likely was (several are the parts of one file), `candidates` are the titles to choose from, best
    first. `looked_up` is False while no service could be asked: it may yet be recognized without a person.
    """

    signature: str
    media: Media
    player: str
    account: str
    at: datetime
    started_at: datetime
    viewing: str
    progress: float | None = None
    position: float | None = None
    duration: float | None = None
    guess: tuple[Playable, ...] = ()
    candidates: tuple[Movie | Show, ...] = ()
    looked_up: bool = True
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is stored in one transaction, so that nothing is told twice and nothing is lost in between.

    `sessions` replace those of their audience. `writes` are those of accounts, by config entry id. `uncounted` are
    forgotten before `counted` are stored.
    """

    sessions: Mapping[str, Sequence[SavedSession]] = field(default_factory=dict)
    uncounted: Sequence[CountedPlay] = ()
    counted: Sequence[CountedPlay] = ()
    waiting: Sequence[WaitingPlay] = ()
    settled: Sequence[int] = ()
    """The ids of waiting plays that wait no longer."""
    writes: Mapping[str, Sequence[Write]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Say whether there is anything to store."""
        lists = (self.uncounted, self.counted, self.waiting, self.settled)
        return any((self.sessions, self.writes, *lists))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was stored when the last run ended."""

    sessions: Mapping[str, Sequence[SavedSession]]
    counted: Mapping[str, Sequence[CountedPlay]]
    waiting: Sequence[WaitingPlay]


_encode_session = ORJSONEncoder(SavedSession).encode
_decode_session = ORJSONDecoder(SavedSession).decode
_encode_counted = ORJSONEncoder(CountedPlay).encode
_decode_counted = ORJSONDecoder(CountedPlay).decode
_encode_waiting = ORJSONEncoder(WaitingPlay).encode
_decode_waiting = ORJSONDecoder(WaitingPlay).decode
_encode_decision = ORJSONEncoder(Decision).encode
_decode_decision = ORJSONDecoder(Decision).decode
_UNREADABLE: Final = (ValueError, LookupError, TypeError)


class ScrobblingTables:
    """The tables of scrobbling. A row that can't be read any more is logged and left alone."""

    def __init__(self, database: Database) -> None:
        """Use the integration's file."""
        self._database = database

    async def load(self, now: datetime) -> Kept:
        """Return everything; what is too old is forgotten first."""

        def work(connection: sqlite3.Connection) -> Kept:
            connection.execute(
                "DELETE FROM counted WHERE counted_at < ?",
                ((now - REMEMBERED).isoformat(),),
            )
            sessions: dict[str, list[SavedSession]] = {}
            for audience, text in connection.execute(
                "SELECT audience, session FROM session ORDER BY audience, place"
            ):
                try:
                    sessions.setdefault(audience, []).append(_decode_session(text))
                except _UNREADABLE:
                    _LOGGER.exception("A stored viewing can't be read")
            counted: dict[str, list[CountedPlay]] = {}
            for audience, text in connection.execute(
                "SELECT audience, counted FROM counted ORDER BY counted_at"
            ):
                try:
                    counted.setdefault(audience, []).append(_decode_counted(text))
                except _UNREADABLE:
                    _LOGGER.exception("A counted viewing can't be read")
            waiting: list[WaitingPlay] = []
            for row_id, text in connection.execute(
                "SELECT id, waiting FROM waiting ORDER BY id"
            ):
                try:
                    play = replace(_decode_waiting(text), id=row_id)
                except _UNREADABLE:
                    _LOGGER.exception("A waiting play can't be read")
                    continue
                if now - play.at < WAITS:
                    waiting.append(play)
                else:
                    connection.execute("DELETE FROM waiting WHERE id = ?", (row_id,))
            return Kept(sessions=sessions, counted=counted, waiting=waiting)

        return await self._database.run(work)

    async def store(
        self, batch: Batch, now: datetime
    ) -> tuple[Mapping[str, Sequence[OutboxEntry]], Sequence[WaitingPlay]]:
        """Store a batch; return the outbox entries by config entry id, and the waiting plays with their ids."""

        def work(
            connection: sqlite3.Connection,
        ) -> tuple[dict[str, list[OutboxEntry]], list[WaitingPlay]]:
            for audience, sessions in batch.sessions.items():
                _replace_sessions(connection, audience, sessions)
            _forget_counted(connection, batch.uncounted)
            _put_counted(connection, batch.counted)
            connection.executemany(
                "DELETE FROM waiting WHERE id = ?", [(row,) for row in batch.settled]
            )
            waiting = [_put_waiting(connection, play) for play in batch.waiting]
            entries = {
                entry_id: [
                    entry
                    for write in writes
                    for entry in insert_writes(
                        connection, entry_id, [write], _since(write, now)
                    )
                ]
                for entry_id, writes in batch.writes.items()
            }
            return entries, waiting

        return await self._database.run(work)

    async def decisions(
        self, now: datetime
    ) -> Mapping[str, tuple[Decision, datetime | None]]:
        """Return all decisions about titles by signature, and when they expire (UTC); expired ones are forgotten."""

        def work(
            connection: sqlite3.Connection,
        ) -> dict[str, tuple[Decision, datetime | None]]:
            connection.execute(
                "DELETE FROM decision WHERE expires_at < ?", (now.isoformat(),)
            )
            found: dict[str, tuple[Decision, datetime | None]] = {}
            for signature, expires_at, text in connection.execute(
                "SELECT signature, expires_at, decision FROM decision ORDER BY rowid"
            ):
                try:
                    until = datetime.fromisoformat(expires_at) if expires_at else None
                    found[signature] = (_decode_decision(text), until)
                except _UNREADABLE:
                    _LOGGER.exception("A decision about a title can't be read")
            return found

        return await self._database.run(work)

    async def decide(
        self, signature: str, decision: Decision, expires_at: datetime | None
    ) -> None:
        """Remember a decision until `expires_at` (UTC); None: for good."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO decision (signature, by_person, expires_at, decision) VALUES (?, ?, ?, ?)",
                (
                    signature,
                    int(expires_at is None),
                    expires_at.isoformat() if expires_at else None,
                    _encode_decision(decision).decode(),
                ),
            )

        await self._database.run(work)

    async def forget_decision(self, signature: str) -> None:
        """Forget a decision."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM decision WHERE signature = ?", (signature,))

        await self._database.run(work)

    async def clear(self) -> None:
        """Forget everything but what was counted: scrobbling was removed, and may come back."""

        def work(connection: sqlite3.Connection) -> None:
            for table in ("session", "decision", "waiting"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608  # fixed names

        await self._database.run(work)


def _since(write: Write, now: datetime) -> datetime:
    """Return when a write came up: how long what is passing is worth telling counts from then, not from now."""
    if isinstance(write, Scrobble) and write.action is not ScrobbleAction.WATCHED:
        return min(write.at, now)
    return now


def _replace_sessions(
    connection: sqlite3.Connection, audience: str, sessions: Iterable[SavedSession]
) -> None:
    connection.execute("DELETE FROM session WHERE audience = ?", (audience,))
    connection.executemany(
        "INSERT INTO session (audience, place, session) VALUES (?, ?, ?)",
        [
            (audience, place, _encode_session(saved).decode())
            for place, saved in enumerate(sessions)
        ],
    )


def _put_counted(connection: sqlite3.Connection, plays: Iterable[CountedPlay]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO counted (audience, viewing, counted_at, counted) VALUES (?, ?, ?, ?)",
        [
            (
                play.audience,
                play.viewing,
                play.at.isoformat(),
                _encode_counted(play).decode(),
            )
            for play in plays
        ],
    )


def _forget_counted(
    connection: sqlite3.Connection, plays: Iterable[CountedPlay]
) -> None:
    connection.executemany(
        "DELETE FROM counted WHERE audience = ? AND viewing = ?",
        [(play.audience, play.viewing) for play in plays],
    )


def _put_waiting(connection: sqlite3.Connection, play: WaitingPlay) -> WaitingPlay:
    cursor = connection.execute(
        "INSERT INTO waiting (signature, waiting) VALUES (?, ?)",
        (play.signature, _encode_waiting(play).decode()),
    )
    assert cursor.lastrowid is not None
    return replace(play, id=cursor.lastrowid)
