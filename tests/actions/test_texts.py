"""What the user interface shows of the actions, against what they accept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from custom_components.up_next.services import ACTIONS
from homeassistant.helpers.selector import selector

SERVICES_YAML = Path(__file__).parents[2] / "custom_components/up_next/services.yaml"
DESCRIBED: dict[str, Any] = yaml.safe_load(SERVICES_YAML.read_text(encoding="utf-8"))


def shown(action: str) -> dict[str, Any]:
    """Return the fields of an action, those in sections included."""
    found: dict[str, Any] = {}
    for name, field in DESCRIBED[action]["fields"].items():
        found |= field.get("fields", {name: field})
    return found


def test_all_actions_are_described() -> None:
    assert set(DESCRIBED) == set(ACTIONS)
    assert not any("target" in description for description in DESCRIBED.values())


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_fields(action: str) -> None:
    """What is shown is accepted and required alike, and every selector is one that Home Assistant knows."""
    accepted = {str(key): key for key in ACTIONS[action].fields}
    fields = shown(action)
    hidden = set(accepted) - set(fields)
    # accepted everywhere, so that what an answer calls `item` can be handed on; shown where it makes sense
    assert hidden <= {"type", "season", "episode", "episode_ids"}
    assert set(fields) <= set(accepted)
    for name, field in fields.items():
        selector(field["selector"])
        required = type(accepted[name]).__name__ == "Required"
        assert field.get("required", False) is required, name
        if "default" in field:
            assert accepted[name].default() == field["default"], name
