"""What can't be read any more is told in the log, and harms nothing else."""

from __future__ import annotations

from pathlib import Path
import sqlite3

import pytest

from custom_components.up_next.players.store import ScrobblingTables
from custom_components.up_next.storage import Database
from homeassistant.util import dt as dt_util


async def test_unreadable_rows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(tmp_path / "up_next.db")
    await database.open()
    now = dt_util.utcnow()

    def spoil(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO session VALUES ('a', 0, '{}')")
        connection.execute(
            "INSERT INTO counted VALUES ('a', 'v', ?, 'no JSON')", (now.isoformat(),)
        )
        connection.execute(
            "INSERT INTO waiting (signature, waiting) VALUES ('s', '[]')"
        )
        connection.execute("INSERT INTO decision VALUES ('s', 0, NULL, '7')")

    await database.run(spoil)
    tables = ScrobblingTables(database)
    kept = await tables.load(now)
    assert not any(kept.sessions.values())
    assert not any(kept.counted.values())
    assert not kept.waiting
    assert await tables.decisions(now) == {}
    assert caplog.text.count("can't be read") >= 4
    await database.close()
