"""The dashboard of the demo: a section for each account, made of Home Assistant's own cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

type Json = dict[str, Any]

QUEUES = "sensor.*_queue"
"""The template sensors that hold what comes next; not recorded."""
QUEUE_LENGTH = 5

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

COUNTS = ("unwatched_episodes", "unwatched_shows", "watchlist", "in_progress")
TOTALS = (
    "watched_movies",
    "watched_episodes",
    "last_refresh",
    "pending_writes",
    "requests_left",
    "subscription_end",
)


def dashboard(
    entries: Sequence[Json], entities: Mapping[str, Mapping[str, str]]
) -> Json:
    """Return the configuration of a dashboard: `entities` is config entry id -> key -> entity id."""
    sections = [
        _account(entry["title"], entities[entry["entry_id"]])
        for entry in entries
        if entry["entry_id"] in entities
    ]
    return {
        "title": "Up Next",
        "views": [
            {
                "title": "Up Next",
                "path": "accounts",
                "type": "sections",
                "max_columns": 3,
                "sections": sections,
            }
        ],
    }


def queues(
    entries: Sequence[Json], entities: Mapping[str, Mapping[str, str]]
) -> list[Json]:
    """Return template sensors that hold the next episodes of each account, from an action's answer."""
    return [
        {
            "triggers": [
                {
                    "trigger": "state",
                    "entity_id": [found["unwatched_episodes"], found["next_episode"]],
                },
                {"trigger": "homeassistant", "event": "start"},
                {"trigger": "event", "event_type": "event_template_reloaded"},
            ],
            "actions": [
                {
                    "action": "up_next.get_next_episodes",
                    "data": {"account": entry["entry_id"], "limit": QUEUE_LENGTH},
                    "response_variable": "found",
                }
            ],
            "sensor": [
                {
                    "name": f"{entry['title']} queue",
                    "unique_id": f"{entry['entry_id']}_queue",
                    "icon": "mdi:playlist-play",
                    "state": "{{ found.accounts[0].episodes | count }}",
                    "attributes": {
                        "account": entry["entry_id"],
                        "episodes": "{{ found.accounts[0].episodes }}",
                    },
                }
            ],
        }
        for entry in entries
        if "next_episode" in (found := entities.get(entry["entry_id"], {}))
    ]


def _account(title: str, entities: Mapping[str, str]) -> Json:
    cards: list[Json] = [
        {"type": "heading", "heading": title, "icon": "mdi:television-play"}
    ]
    cards += [
        {
            "type": "tile",
            "entity": entities[key],
            "name": _name(key),
            "grid_options": {"columns": 6},
        }
        for key in COUNTS
        if key in entities
    ]
    for key in ("watching", "now_watching"):
        if key in entities:
            cards.append(
                {
                    "type": "tile",
                    "entity": entities[key],
                    "name": _name(key),
                    "show_entity_picture": key == "now_watching",
                    "grid_options": {"columns": 6},
                }
            )
    if (entity := entities.get("next_episode")) is not None:
        cards += [
            {"type": "heading", "heading": "Next episode", "heading_style": "subtitle"},
            _episode(entity),
            _button("Watched", "mdi:check", "script.mark_next_episode", entity),
            _button("Refresh", "mdi:refresh", "script.refresh_account", entity),
            {"type": "heading", "heading": "And then", "heading_style": "subtitle"},
            _queue(entity),
        ]
    rows = [
        {"entity": entities[key], "name": _name(key)}
        for key in TOTALS
        if key in entities
    ]
    cards.append({"type": "entities", "entities": rows})
    return {"type": "grid", "cards": cards}


def _name(key: str) -> str:
    """Return a short name: the account's stands above."""
    return key.replace("_", " ").capitalize()


def _episode(entity: str) -> Json:
    """Show what to watch next, with its picture."""
    content = f"""\
{{% set e = '{entity}' %}}
{{% if state_attr(e, 'show') %}}
<table><tr><td>{{% if state_attr(e, 'entity_picture') %}}<img src="{{{{ state_attr(e, 'entity_picture') }}}}" width="100">{{% endif %}}</td>
<td><b>{{{{ state_attr(e, 'show') }}}}</b><br>
Season {{{{ state_attr(e, 'season') }}}}, episode {{{{ state_attr(e, 'episode') }}}}<br>
{{{{ state_attr(e, 'title') or '' }}}}<br>
{{% if state_attr(e, 'aired') %}}aired {{{{ state_attr(e, 'aired') | as_datetime | as_local | as_timestamp | timestamp_custom('%-d %B %Y') }}}}{{% endif %}}</td></tr></table>
{{% else %}}Nothing to watch.{{% endif %}}"""
    return {"type": "markdown", "content": content, "grid_options": {"columns": 12}}


def _queue(entity: str) -> Json:
    """Show the episodes that come after the next one, from the template sensor of the same account."""
    content = f"""\
{{% set account = config_entry_id('{entity}') %}}
{{% set ns = namespace(rows=[]) %}}
{{% for s in states.sensor if s.entity_id.endswith('_queue') %}}
{{% set rows = s.attributes.episodes or [] %}}
{{% if account == s.attributes.account %}}{{% set ns.rows = rows %}}{{% endif %}}
{{% endfor %}}
| | | left |
|---|---|---|
{{% for row in ns.rows[1:] %}}| {{% if row.picture %}}<img src="{{{{ row.picture }}}}" width="40">{{% endif %}} | {{{{ row.label }}}} | {{{{ row.unwatched }}}} |
{{% endfor %}}"""
    return {"type": "markdown", "content": content, "grid_options": {"columns": 12}}


def _button(name: str, icon: str, script: str, entity: str) -> Json:
    return {
        "type": "button",
        "name": name,
        "icon": icon,
        "grid_options": {"columns": 6, "rows": 1},
        "show_icon": True,
        "icon_height": "24px",
        "tap_action": {
            "action": "perform-action",
            "perform_action": script,
            "data": {"entity": entity},
        },
    }
