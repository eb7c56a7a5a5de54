"""The dashboard of the demo, made of Home Assistant's own cards: an overview, and a view for each account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
from typing import Any

from demo_players import Player

type Json = dict[str, Any]

LISTS = ("sensor.up_next_*_queue", "sensor.up_next_*_recent")
"""The template sensors that hold what comes next and what was watched; not recorded."""
QUEUE_LENGTH = 5
RECENT_LENGTH = 6
OVERVIEW = "overview"
PLAYERS = "players"

# An action's fields are fixed in a card, so what a button does to the next episode is a script.
_EPISODE = {
    "account": "{{ config_entry_id(entity) }}",
    "ids": "{{ state_attr(entity, 'show_ids') }}",
    "season": "{{ state_attr(entity, 'season') }}",
    "episode": "{{ state_attr(entity, 'episode') }}",
}
SCRIPTS: Json = {
    "mark_next_episode": {
        "alias": "Mark the next episode watched",
        "icon": "mdi:check",
        "mode": "queued",
        "fields": {
            "entity": {"name": "Entity", "required": True, "selector": {"entity": {}}}
        },
        "sequence": [{"action": "up_next.toggle_watched", "data": _EPISODE}],
    },
    "refresh_account": {
        "alias": "Refresh an account",
        "icon": "mdi:refresh",
        "mode": "parallel",
        "fields": {
            "entity": {"name": "Entity", "required": True, "selector": {"entity": {}}}
        },
        "sequence": [
            {"action": "up_next.refresh", "data": {"account": _EPISODE["account"]}}
        ],
    },
}

COUNTS = {
    "unwatched_episodes": "Unwatched",
    "unwatched_shows": "Unwatched in",
    "watchlist": "Watchlist",
    "in_progress": "In progress",
    "watched_episodes": "Watched episodes",
    "watched_movies": "Watched movies",
}
"""Key of an entity -> its short name: the account's stands above, and the unit below."""
UPKEEP = {
    "last_refresh": "Last refresh",
    "pending_writes": "Pending changes",
    "requests_left": "Requests left",
    "subscription_end": "Subscription end",
}
ICONS = {
    "unwatched_episodes": "mdi:playlist-play",
    "watchlist": "mdi:bookmark-multiple",
    "in_progress": "mdi:progress-clock",
    "watched_movies": "mdi:movie-check",
    "watched_episodes": "mdi:check-all",
}
"""The badges of the overview, the first three of which an account has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as the dashboard shows it; `entities` is key -> entity id."""

    tracker: str
    entry_id: str
    title: str
    entities: Mapping[str, str]

    @property
    def name(self) -> str:
        """Return the service's name: the title without the account's own."""
        return self.title.partition(" (")[0]

    @property
    def path(self) -> str:
        """Return the path of its view."""
        return self.tracker.replace("_", "-")

    @property
    def queue(self) -> str:
        """Return the template sensor of what comes next."""
        return f"sensor.up_next_{self.tracker}_queue"

    @property
    def recent(self) -> str:
        """Return the template sensor of what was watched."""
        return f"sensor.up_next_{self.tracker}_recent"


# template sensors ---------------------------------------------------------------------------------------------


def list_sensors(accounts: Sequence[Account]) -> list[Json]:
    """Return template sensors that hold lists, from the answers of actions: what comes next, what was watched."""
    queues = [
        _list_sensor(
            account,
            "queue",
            "mdi:playlist-play",
            ("unwatched_episodes", "next_episode"),
            ("up_next.get_next_episodes", QUEUE_LENGTH, "episodes"),
        )
        for account in accounts
        if "next_episode" in account.entities
    ]
    recent = [
        _list_sensor(
            account,
            "recent",
            "mdi:history",
            ("last_watched",),
            ("up_next.get_history", RECENT_LENGTH, "plays"),
        )
        for account in accounts
        if "last_watched" in account.entities
    ]
    return [*queues, *recent]


def _list_sensor(
    account: Account,
    what: str,
    icon: str,
    follows: Sequence[str],
    asks: tuple[str, int, str],
) -> Json:
    """Return a sensor with the rows that an action answers, asked for whenever one of the entities changes."""
    action, limit, rows = asks
    # while an answer is awaited, or when there was none, the former rows stay
    known = (
        "{%- set rows = found.accounts[0]."
        + rows
        + " if found is defined else this.attributes.rows -%}"
    )
    return {
        # the names of older versions, which newer ones take as well
        "trigger": [
            {
                "trigger": "state",
                "entity_id": [account.entities[key] for key in follows],
                "for": {"seconds": 1},
            },
            {"trigger": "homeassistant", "event": "start"},
            {"trigger": "event", "event_type": "event_template_reloaded"},
        ],
        "action": [
            {
                "action": action,
                "data": {"account": account.entry_id, "limit": limit},
                "response_variable": "found",
                "continue_on_error": True,
            }
        ],
        "sensor": [
            {
                "name": f"Up Next {account.tracker} {what}",
                "unique_id": f"{account.entry_id}_{what}",
                "icon": icon,
                "state": known + "{{ rows | default([], true) | count }}",
                "attributes": {"rows": known + "{{ rows | default([], true) }}"},
            }
        ],
    }


# views --------------------------------------------------------------------------------------------------------


def dashboard(accounts: Sequence[Account], players: Sequence[Player]) -> Json:
    """Return the configuration of a dashboard."""
    return {
        "title": "Up Next",
        "views": [
            _view("Overview", OVERVIEW, _overview(accounts, players)),
            _view("Players", PLAYERS, [_player(p, accounts) for p in players]),
            *(_view(a.name, a.path, _sections(a)) for a in accounts),
        ],
    }


def _view(title: str, path: str, sections: Sequence[Json | None]) -> Json:
    return {
        "title": title,
        "path": path,
        "type": "sections",
        "max_columns": 3,
        "sections": [section for section in sections if section],
    }


def _section(heading: str, icon: str, cards: Sequence[Json | None]) -> Json | None:
    """Return a section with a heading; None when there is nothing below it."""
    found = [card for card in cards if card]
    if not found:
        return None
    head = {"type": "heading", "heading": heading, "icon": icon}
    return {"type": "grid", "cards": [head, *found]}


def _overview(
    accounts: Sequence[Account], players: Sequence[Player]
) -> list[Json | None]:
    """Return what is of interest of all accounts together."""

    def tiles(key: str) -> list[Json | None]:
        return [_tile(a, key, a.name, wide=True, to=a.path) for a in accounts]

    return [
        _section("Now watching", "mdi:play-circle", tiles("now_watching")),
        _section("Players", "mdi:television", [_playback(p, p.name, to=PLAYERS) for p in players]),
        _section("Next episode", "mdi:skip-next", tiles("next_episode")),
        _section("Last watched", "mdi:history", tiles("last_watched")),
        _section("Accounts", "mdi:account-multiple", [_summary(a) for a in accounts]),
    ]  # fmt: skip


def _player(player: Player, accounts: Sequence[Account]) -> Json | None:
    """Return what a player plays, what was recognized, and who is told."""
    told = " and ".join(a.name for a in accounts if a.tracker in player.feeds)
    return _section(
        player.name,
        "mdi:television",
        [
            {
                "type": "media-control",
                "entity": player.entity_id,
                "grid_options": {"columns": 12},
            },
            _playback(player, "Playback"),
            {
                "type": "tile",
                "entity": player.scrobble,
                "name": f"Told {told}",
                "state_content": ["event_type", "state"],
                "grid_options": {"columns": 12},
            },
            _markdown(_PLAYER_CARD, player.playback),
        ],
    )


def _playback(player: Player, name: str, *, to: str | None = None) -> Json:
    """Return a tile of what is recognized of a player."""
    card: Json = {
        "type": "tile",
        "entity": player.playback,
        "name": name,
        "state_content": ["state", "label"],
        "show_entity_picture": True,
        "grid_options": {"columns": 12},
    }
    if to:
        card["tap_action"] = {"action": "navigate", "navigation_path": to}
    return card


def _summary(account: Account) -> Json:
    """Return a line with what an account counts, that leads to its view."""
    badges: list[Json] = [
        {
            "type": "entity",
            "entity": account.entities[key],
            "icon": icon,
            "show_state": True,
            "show_icon": True,
            "tap_action": {"action": "more-info"},
        }
        for key, icon in ICONS.items()
        if key in account.entities
    ]
    return {
        "type": "heading",
        "heading": account.name,
        "heading_style": "subtitle",
        "badges": badges[:3],
        "tap_action": {"action": "navigate", "navigation_path": account.path},
    }


def _sections(account: Account) -> list[Json | None]:
    """Return the sections of an account's own view."""
    now = [
        _tile(account, "now_watching", "Now watching", wide=True),
        _tile(account, "last_watched", "Last watched", wide=True),
    ]
    return [
        _section(
            account.title,
            "mdi:television-play",
            [
                *now,
                *_pairs(account, COUNTS),
                {
                    "type": "heading",
                    "heading": "Account",
                    "heading_style": "subtitle",
                },
                *_pairs(account, UPKEEP),
                _button("Refresh", "mdi:refresh", "script.refresh_account", account, "last_refresh"),
            ],
        ),
        _section("Next episode", "mdi:skip-next", _next(account)),
        _section("Watched before", "mdi:history", _recent(account)),
    ]  # fmt: skip


# cards --------------------------------------------------------------------------------------------------------


def _tile(
    account: Account, key: str, name: str, *, wide: bool = False, to: str | None = None
) -> Json | None:
    """Return a tile of an entity, `wide` with its picture; a tap leads `to` a view. None without the entity."""
    if key not in account.entities:
        return None
    card: Json = {
        "type": "tile",
        "entity": account.entities[key],
        "name": name,
        "grid_options": {"columns": 12 if wide else 6},
    }
    if wide:
        card["show_entity_picture"] = True
    if to:
        card["tap_action"] = {"action": "navigate", "navigation_path": to}
    return card


def _pairs(account: Account, names: Mapping[str, str]) -> list[Json | None]:
    """Return tiles of entities (key -> name), two in a line; an odd one out at the end has the line for itself."""
    keys = [key for key in names if key in account.entities]
    return [
        _tile(account, key, names[key], wide=n == len(keys) and n % 2 == 1)
        for n, key in enumerate(keys, 1)
    ]


def _next(account: Account) -> list[Json | None]:
    """Return what to watch next, what to do about it, and what comes after it."""
    if "next_episode" not in account.entities:
        return []
    return [
        _markdown(_EPISODE_CARD, account.entities["next_episode"]),
        _button("Mark as watched", "mdi:check", "script.mark_next_episode", account, "next_episode"),
        {"type": "heading", "heading": "And then", "heading_style": "subtitle"},
        _markdown(_QUEUE_CARD, account.queue),
    ]  # fmt: skip


def _recent(account: Account) -> list[Json | None]:
    if "last_watched" not in account.entities:
        return []
    return [_markdown(_RECENT_CARD, account.recent)]


def _button(name: str, icon: str, script: str, account: Account, key: str) -> Json:
    """Return a tile that runs a script for an entity of the account. A script's own tile would look switched off."""
    action = {
        "action": "perform-action",
        "perform_action": script,
        "data": {"entity": account.entities[key]},
    }
    return {
        "type": "tile",
        "entity": account.entities[key],
        "name": name,
        "icon": icon,
        "hide_state": True,
        "tap_action": action,
        "icon_tap_action": action,
        "grid_options": {"columns": 12},
    }


def _markdown(template: str, entity: str) -> Json:
    content = f"{{%- set e = {json.dumps(entity)} -%}}\n{template}"
    return {"type": "markdown", "content": content, "grid_options": {"columns": 12}}


# A table for presentation has no lines; a plain one has them in newer versions.
_EPISODE_CARD = """\
{%- set picture = state_attr(e, 'entity_picture') -%}
{%- if state_attr(e, 'show') -%}
<table role="presentation"><tr>
{%- if picture -%}<td width="120"><img src="{{ picture }}" width="110"></td>{%- endif -%}
<td><b>{{ state_attr(e, 'show') }}</b><br>
Season {{ state_attr(e, 'season') }}, episode {{ state_attr(e, 'episode') }}<br>
{{ state_attr(e, 'title') or '' }}
{%- if state_attr(e, 'aired') -%}
<br><br>Aired {{ (state_attr(e, 'aired') | as_datetime | as_local).strftime('%-d %B %Y') }}
{%- endif -%}
</td></tr></table>
{%- else -%}
Nothing to watch.
{%- endif -%}
"""
_PLAYER_CARD = """\
{%- if state_attr(e, 'reported') -%}
<table role="presentation" width="100%">
<tr><td>Reported</td><td>{{ state_attr(e, 'reported') }}</td></tr>
<tr><td>Recognized</td><td><b>{{ state_attr(e, 'label') or 'not yet' }}</b></td></tr>
{%- if state_attr(e, 'label') -%}
<tr><td>Found by</td><td>{{ state_attr(e, 'match_method') }}, {{ state_attr(e, 'match_certainty') }}
{%- if state_attr(e, 'score') %} ({{ state_attr(e, 'score') }} points){% endif -%}
</td></tr>
{%- endif -%}
{%- if state_attr(e, 'progress') is not none -%}
<tr><td>Progress</td><td>{{ state_attr(e, 'progress') }} %</td></tr>
{%- endif -%}
</table>
{%- if states(e) == 'needs_decision' %}

Nobody is told before you say what it is: [open Repairs](/config/repairs) once it was watched.
{%- endif -%}
{%- else -%}
Nothing plays.
{%- endif -%}
"""
_QUEUE_CARD = """\
{%- set rows = (state_attr(e, 'rows') or [])[1:] -%}
<table role="presentation" width="100%">
{%- for row in rows -%}
<tr><td width="50">{% if row.picture %}<img src="{{ row.picture }}" width="40">{% endif %}</td>
<td><b>{{ row.item.title }}</b><br>
{{ '%dx%02d' % (row.item.season, row.item.episode) }} {{ row.episode_title or '' }}</td>
<td align="right">{{ row.unwatched }} left</td></tr>
{%- endfor -%}
</table>
{%- if not rows %}Nothing else.{% endif -%}
"""
_RECENT_CARD = """\
<table role="presentation" width="100%">
{%- for row in state_attr(e, 'rows') or [] -%}
{%- set item = row.item -%}
<tr><td width="50">{% if row.picture %}<img src="{{ row.picture }}" width="40">{% endif %}</td>
<td><b>{{ item.title }}</b><br>
{%- if item.season is defined -%}
{{ '%dx%02d' % (item.season, item.episode) }} {{ row.episode_title or '' }}
{%- else -%}
{{ item.year or '' }}
{%- endif -%}
{%- if row.rating %} · {{ row.rating }}/10{% endif -%}
{%- if row.liked %} · ♥{% endif -%}
{%- if row.rewatch %} · again{% endif -%}
</td><td align="right">
{%- if row.watched_at -%}
{{ (row.watched_at | as_datetime | as_local).strftime('%-d %b') }}
{%- elif row.watched_on -%}
{{ strptime(row.watched_on, '%Y-%m-%d').strftime('%-d %b') }}
{%- endif -%}
</td></tr>
{%- endfor -%}
</table>
"""
