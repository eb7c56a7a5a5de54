"""The archive of plays: what makes two plays one, what is forgotten, and that older files get it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
import sqlite3

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.const import (
    CONF_ACCOUNT_ID,
    CONF_BASE_URL,
    CONF_CREDENTIALS,
    CONF_TRACKER,
    DOMAIN,
)
from custom_components.up_next.library import Play
from custom_components.up_next.media import Ids, Movie
from custom_components.up_next.storage import (
    MIGRATIONS,
    SCHEMA_VERSION,
    ArchiveTable,
    Database,
    OutboxTable,
)
from custom_components.up_next.trackers import TRACKERS
from custom_components.up_next.trackers.letterboxd import Letterboxd as Tracker
from custom_components.up_next.trackers.tracker import ArchiveCount, ArchivedPlay
from custom_components.up_next.writes import MarkWatched
from simulators.letterboxd import Letterboxd

from .accounts import House
from .conftest import Serve

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "up_next.db")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def archive(database: Database) -> ArchiveTable:
    return ArchiveTable(database, "letterboxd:someone")


def play(
    film: int,
    day: int | None,
    entry: str | None = None,
    *,
    logged: int | None = None,
    rating: int | None = None,
) -> ArchivedPlay:
    """Return a play of film number `film` on a day of November, logged on that day or on `logged`."""
    at = logged or day
    return ArchivedPlay(
        play=Play(
            item=Movie(title=f"Film {film}", ids=Ids.of(tmdb=film)),
            id=entry,
            watched_on=date(2026, 11, day) if day else None,
            rating=rating,
        ),
        title=f"tmdb:{film}",
        logged_at=START + timedelta(days=at - 1) if at else None,
    )


async def kept(archive: ArchiveTable) -> list[tuple[str, int, str | None]]:
    return [
        (p.item.label[5:], p.watched_on.day if p.watched_on else 0, p.id)
        for p in await archive.read()
    ]


async def test_newest_first_and_unknown_dates_last(archive: ArchiveTable) -> None:
    await archive.put(
        "rss",
        [
            play(1, None, "a"),
            play(2, 3, "b"),
            play(3, 5, "c"),
            play(4, 3, "d", logged=9),
        ],
    )
    assert await kept(archive) == [
        ("3", 5, "c"),
        ("4", 3, "d"),
        ("2", 3, "b"),
        ("1", 0, "a"),
    ]
    assert [p.id for p in await archive.read(2, 1)] == ["d", "b"]


async def test_plays_survive_unchanged(archive: ArchiveTable) -> None:
    one = play(1, 3, "a", rating=7)
    await archive.put("rss", [one])
    assert await archive.read() == [one.play]


async def test_one_title_on_one_day_is_one_viewing(archive: ArchiveTable) -> None:
    await archive.put("rss", [play(1, 3, "watch-1"), play(1, 4, "watch-2")])
    await archive.put("rss", [play(1, 3, "review-9", rating=8)])
    assert await kept(archive) == [("1", 4, "watch-2"), ("1", 3, "review-9")]
    assert await archive.count() == ArchiveCount(plays=2, titles=1)


async def test_unknown_dates_of_one_title_are_one_viewing(
    archive: ArchiveTable,
) -> None:
    await archive.put("rss", [play(1, None, "a"), play(1, None, "b"), play(2, None)])
    assert await archive.count() == ArchiveCount(plays=2, titles=2)


async def test_an_entry_may_get_another_date_or_title(archive: ArchiveTable) -> None:
    await archive.put("rss", [play(1, 3, "a"), play(2, 4, "b")])
    await archive.put("rss", [play(1, 7, "a"), play(9, 4, "b")])
    assert await kept(archive) == [("1", 7, "a"), ("9", 4, "b")]


async def test_two_entries_may_swap_their_dates(archive: ArchiveTable) -> None:
    await archive.put("rss", [play(1, 3, "a"), play(1, 4, "b")])
    await archive.put("rss", [play(1, 4, "a"), play(1, 3, "b")])
    assert await kept(archive) == [("1", 4, "a"), ("1", 3, "b")]


async def test_plays_without_an_id_do_not_replace_each_other(
    archive: ArchiveTable,
) -> None:
    await archive.put("export", [play(1, 3), play(2, 3)])
    await archive.put("export", [play(1, 3), play(2, 4)])
    assert await archive.count() == ArchiveCount(plays=3, titles=2)


async def test_what_is_known_is_not_written_again(
    database: Database, archive: ArchiveTable
) -> None:
    def changes(connection: sqlite3.Connection) -> int:
        return connection.total_changes

    plays = [play(n, n, f"e{n}") for n in range(1, 11)]
    await archive.put("rss", plays, window=True)
    before = await database.run(changes)
    await archive.put("rss", plays, window=True)
    assert await database.run(changes) == before


async def test_a_long_history_is_looked_up_by_index(
    database: Database, archive: ArchiveTable
) -> None:
    """Without one, adding is quadratic, and writes of other accounts wait on the same thread."""
    statements: list[str] = []
    await database.run(lambda c: c.set_trace_callback(statements.append))
    await archive.put("rss", [play(1, 3, "a")], window=True)
    await archive.read(50)
    await archive.count()
    await database.run(lambda c: c.set_trace_callback(None))
    asked = [s for s in statements if s.startswith("SELECT")]
    assert len(asked) == 4

    def plans(connection: sqlite3.Connection) -> list[str]:
        return [
            row[3]
            for statement in asked
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]

    found = await database.run(plans)
    assert not [plan for plan in found if plan.startswith("SCAN")]
    assert sum("title=? AND watched_on=?" in plan for plan in found) == 1
    assert sum("entry=?" in plan for plan in found) == 1


async def test_what_a_window_should_tell_and_does_not_is_forgotten(
    archive: ArchiveTable,
) -> None:
    plays = [play(n, n, f"e{n}") for n in range(1, 7)]
    await archive.put("rss", plays, window=True)
    await archive.put("rss", [plays[2], plays[5]], window=True)
    assert [row[0] for row in await kept(archive)] == ["6", "3", "2", "1"]


async def test_what_either_order_may_have_pushed_out_stays(
    archive: ArchiveTable,
) -> None:
    old_film_logged_late = play(1, 2, "a", logged=9)
    new_film_logged_early = play(2, 9, "b", logged=2)
    await archive.put(
        "rss", [old_film_logged_late, new_film_logged_early, play(3, None, "c")]
    )
    await archive.put("rss", [play(4, 5, "d"), play(5, 6, "e")], window=True)
    assert await archive.count() == ArchiveCount(plays=5, titles=5)


async def test_an_empty_window_and_other_sources_forget_nothing(
    archive: ArchiveTable,
) -> None:
    await archive.put("rss", [play(1, 3, "a")])
    await archive.put("export", [play(2, 4, "b")])
    await archive.put("rss", [], window=True)
    await archive.put("rss", [play(3, 1, "c"), play(1, 3, "a")], window=True)
    await archive.put("rss", [play(4, None, "d")], window=True)
    assert await archive.count() == ArchiveCount(plays=4, titles=4)


async def test_accounts_do_not_see_each_others_plays(
    database: Database, archive: ArchiveTable
) -> None:
    other = ArchiveTable(database, "letterboxd:other")
    await archive.put("rss", [play(1, 3, "a")])
    await other.put("rss", [play(1, 3, "a"), play(2, 1, "b")], window=True)
    await other.put("rss", [play(9, 2, "z")], window=True)
    assert await kept(archive) == [("1", 3, "a")]
    assert len(await kept(other)) == 2


async def test_a_play_that_cannot_be_read_is_left_out(
    database: Database, archive: ArchiveTable, caplog: pytest.LogCaptureFixture
) -> None:
    await archive.put("rss", [play(n, n, f"e{n}") for n in (1, 2, 3)])

    def spoil(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE archive SET play = '{}' WHERE id = 1")
        connection.execute("UPDATE archive SET play = '{' WHERE id = 2")

    await database.run(spoil)
    assert await kept(archive) == [("3", 3, "e3")]
    assert caplog.text.count("can't be read") == 2


# files of other versions --------------------------------------------------------------------------------------


VERSION_1 = """
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
WRITE = b"""
{"item": {"title": "Film 1", "ids": {"values": {"tmdb": "1"}}, "type": "movie"},
 "watched_at": "unknown", "kind": "mark_watched"}
"""


def version_1(path: Path) -> None:
    """Make a file as version 1 left it, with a write on its way."""
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    connection.execute(
        "INSERT INTO outbox (account, write, created_at, state) VALUES (?, ?, ?, ?)",
        (
            "one",
            WRITE.decode(),
            START.isoformat(),
            "pending",
        ),
    )
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()


def version_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(version)


def test_version_1_is_what_was_released() -> None:
    """A migration must never change."""
    assert " ".join(MIGRATIONS[0].split()) == " ".join(VERSION_1.split())


async def test_a_file_of_version_1_keeps_its_writes_and_gets_an_archive(
    tmp_path: Path,
) -> None:
    path = tmp_path / "old.db"
    version_1(path)
    for _ in range(2):  # the second time it is up to date
        database = Database(path)
        await database.open()
        (entry,) = await OutboxTable(database, "one").load()
        assert isinstance(entry.write, MarkWatched)
        assert entry.write.item.label == "Film 1"
        archive = ArchiveTable(database, "letterboxd:someone")
        await archive.put("rss", [play(1, 3, "a")])
        assert await kept(archive) == [("1", 3, "a")]
        await database.close()
        assert version_of(path) == SCHEMA_VERSION


async def test_a_migrated_file_has_the_schema_of_a_new_one(tmp_path: Path) -> None:
    def schema(connection: sqlite3.Connection) -> list[tuple[str, str]]:
        return connection.execute(
            "SELECT name, sql FROM sqlite_master ORDER BY name"
        ).fetchall()

    version_1(tmp_path / "old.db")
    schemas = []
    for name in ("old.db", "new.db"):
        database = Database(tmp_path / name)
        await database.open()
        schemas.append(await database.run(schema))
        await database.close()
    assert schemas[0] == schemas[1]


async def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.db"
    version_1(path)
    broken = (MIGRATIONS[0], "CREATE TABLE half (id INTEGER); CREATE NONSENSE;")
    with monkeypatch.context() as patch:
        patch.setattr("custom_components.up_next.storage.MIGRATIONS", broken)
        database = Database(path)
        with pytest.raises(sqlite3.Error):
            await database.open()
        await database.close()
    assert version_of(path) == 1
    database = Database(path)
    await database.open()
    assert len(await OutboxTable(database, "one").load()) == 1
    assert await database.run(
        lambda c: c.execute(
            "SELECT COUNT(*) FROM sqlite_master WHERE name = 'half'"
        ).fetchone()
    ) == (0,)
    await database.close()


# in Home Assistant --------------------------------------------------------------------------------------------


def entry_of(service: Letterboxd) -> MockConfigEntry:
    return MockConfigEntry(
        domain=DOMAIN,
        unique_id="letterboxd:someone",
        title="Letterboxd (Someone)",
        version=1,
        minor_version=1,
        data={
            CONF_TRACKER: "letterboxd",
            CONF_ACCOUNT_ID: "someone",
            CONF_BASE_URL: service.base_url,
            CONF_CREDENTIALS: {"username": "someone"},
        },
    )


async def test_an_account_that_comes_back_has_all_its_plays(
    house: House, serve: Serve, enable_custom_integrations: None
) -> None:
    service = await serve(Letterboxd, shows=0, movies=20)
    hass = house.hass
    entries = hass.config_entries
    first = entry_of(service)
    first.add_to_hass(hass)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TRACKERS, "letterboxd", Tracker)
        assert await entries.async_setup(first.entry_id)
        await hass.async_block_till_done()
        assert house.value(first, "watched_movies") == "12"
        await entries.async_remove(first.entry_id)
        del service.entries[:6]
        service._touch()
        again = entry_of(service)
        again.add_to_hass(hass)
        assert await entries.async_setup(again.entry_id)
        await hass.async_block_till_done()
        assert house.value(again, "watched_movies") == "12"
        library = again.runtime_data.data.library
        assert len(library.plays) == 12
        assert await entries.async_unload(again.entry_id)
