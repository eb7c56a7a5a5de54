"""Names that several files share."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

DOMAIN: Final = "up_next"

CONF_TRACKER: Final = "tracker"
CONF_ACCOUNT_ID: Final = "account_id"
CONF_BASE_URL: Final = "base_url"
CONF_CREDENTIALS: Final = "credentials"
CONF_PUSH: Final = "push"
CONF_LOCAL_ONLY: Final = "local_only"

SCROBBLING: Final = "scrobbling"
"""The unique id of the one config entry that holds the players."""
PLAYER: Final = "player"
"""The type of its subentries."""

STALE_AFTER: Final = timedelta(hours=24)
"""How long counts and lists keep their last good value while refreshing fails."""

RECEIPT_TIMEOUT: Final = 10.0
"""Seconds that an action waits for the service before it answers "queued"."""
