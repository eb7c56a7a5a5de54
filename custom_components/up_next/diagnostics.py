"""What a person may attach to a bug report: sizes and states, nothing that tells who they are or what they watch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from homeassistant.core import HomeAssistant

from .account import Capability
from .const import CONF_BASE_URL, CONF_TRACKER
from .context import VERSION
from .coordinator import AccountCoordinator, UpNextConfigEntry
from .library import Library
from .outbox import OutboxEntry
from .players.diagnostics import describe_scrobbling
from .players.scrobbler import ScrobblingConfigEntry, is_scrobbling
from .push import Webhook


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: UpNextConfigEntry | ScrobblingConfigEntry
) -> dict[str, object]:
    """Describe one account, or the players. Only what is named here gets out: no tokens, names, ids or titles."""
    if is_scrobbling(entry):
        return describe_scrobbling(entry.runtime_data)
    return _describe_account(entry)


def _describe_account(entry: UpNextConfigEntry) -> dict[str, object]:
    coordinator = entry.runtime_data
    return {
        "version": VERSION,
        "tracker": entry.data[CONF_TRACKER],
        "own_base_url": bool(entry.data.get(CONF_BASE_URL)),
        "options": _options(coordinator, entry.options),
        "account": _account(coordinator),
        "library": _library(coordinator.data.library),
        "overview": {
            "unwatched": coordinator.data.overview.unwatched,
            "shows": len(coordinator.data.overview.shows),
            "changes_at": _iso(coordinator.data.overview.changes_at),
        },
        "refreshing": _refreshing(coordinator),
        "push": _push(coordinator, entry.options),
        "outbox": {
            "pending": [_write(queued) for queued in coordinator.outbox.pending[:50]],
            "pending_count": len(coordinator.outbox.pending),
            "failed": [_write(queued) for queued in coordinator.outbox.failed[:50]],
            "failed_count": len(coordinator.outbox.failed),
        },
    }


def _options(
    coordinator: AccountCoordinator, options: Mapping[str, object]
) -> dict[str, object]:
    """Return the settings: those chosen from a fixed list as they are, of the others only that they are set."""
    fixed = {option.name for option in coordinator.tracker.options if option.choices}
    return {
        name: value if name in fixed else bool(value) for name, value in options.items()
    }


def _account(coordinator: AccountCoordinator) -> dict[str, object]:
    account = coordinator.data.library.account
    quota = coordinator.tracker.quota
    return {
        "plan": account.plan,
        "can": [flag.name for flag in account.can],
        "may_but_can_not": [
            flag.name for flag in Capability(coordinator.tracker.may & ~account.can)
        ],
        "has_subscription_end": account.subscription_end is not None,
        "quota": {
            "remaining": quota.remaining,
            "limit": quota.limit,
            "resets_at": _iso(quota.resets_at),
        }
        if quota
        else None,
    }


def _library(library: Library) -> dict[str, object]:
    return {
        "complete": library.complete,
        "read_at": _iso(library.read_at),
        "shows": len(library.shows),
        "shows_by_status": dict(
            Counter(show.status.value for show in library.shows.values())
        ),
        "started": len(library.started),
        "movies": len(library.movies),
        "watchlist": len(library.watchlist),
        "playbacks": len(library.playbacks),
        "plays": len(library.plays),
        "shows_with_airings": len(library.airings),
        "airings": sum(len(episodes) for episodes in library.airings.values()),
        "watching": library.watching.state.value if library.watching else None,
        "totals": {
            "movies": library.totals.movies,
            "shows": library.totals.shows,
            "episodes": library.totals.episodes,
        },
        # what follows a colon is an id
        "markers": sorted({name.partition(":")[0] for name in library.markers}),
    }


def _refreshing(coordinator: AccountCoordinator) -> dict[str, object]:
    error = coordinator.last_exception
    cause = error.__cause__ if error else None
    return {
        "refreshed_at": _iso(coordinator.refreshed_at),
        "interval": coordinator.update_interval.total_seconds()
        if coordinator.update_interval
        else None,
        "works": coordinator.last_update_success,
        "sign_in_required": coordinator.sign_in_required,
        "available": coordinator.available,
        "live": coordinator.live,
        "last_error": getattr(error, "translation_key", None) or type(error).__name__
        if error
        else None,
        "last_error_kind": type(cause).__name__ if cause else None,
    }


def _push(
    coordinator: AccountCoordinator, options: Mapping[str, object]
) -> dict[str, object]:
    hook = Webhook.of(options)
    return {
        "on": hook is not None,
        "local_only": hook.local_only if hook else None,
        "pushed_at": _iso(coordinator.pushed_at),
    }


def _write(entry: OutboxEntry) -> dict[str, object]:
    return {
        "kind": entry.write.kind,
        "state": entry.state.value,
        "attempts": entry.attempts,
        "reason": entry.reason,
        "created_at": _iso(entry.created_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
