"""The pages for people against the code: links, tables, labels and examples are as they say."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
import json
from pathlib import Path
import re
from typing import Any

import pytest
import voluptuous as vol
import yaml

from custom_components.up_next.account import WRITING, Capability
from custom_components.up_next.const import DOMAIN
from custom_components.up_next.players.events import EVENT_SCROBBLE, EVENT_TYPES
from custom_components.up_next.players.sensor import PLAYBACK
from custom_components.up_next.players.view import PlayerPhase
from custom_components.up_next.sensor import SENSORS
from custom_components.up_next.services import ACTIONS
from custom_components.up_next.trackers import TRACKERS
from custom_components.up_next.trackers.tracker import Fields, Tracker
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.trigger import async_validate_trigger_config
from homeassistant.setup import async_setup_component

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
TEXTS: dict[str, Any] = json.loads(
    (ROOT / "custom_components" / DOMAIN / "translations/en.json").read_text("utf-8")
)
COLUMNS = {
    "Unwatched, next episode": Capability.UNWATCHED,
    "Watchlist": Capability.WATCHLIST,
    "Continue watching": Capability.PLAYBACKS,
    "Now watching": Capability.NOW_WATCHING | Capability.SCROBBLE,
    "Last watched, history, totals": Capability.HISTORY | Capability.TOTALS,
    "Changes": WRITING,
    "Scrobbling": Capability.SCROBBLE,
}
"""What the columns of the README's table stand for: any of these."""


@cache
def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def section(text: str, *titles: str) -> str:
    """Return a section that has one of these titles, or begins with one of them."""
    for part in re.split(r"^## ", text, flags=re.MULTILINE):
        if part.startswith(titles):
            return part
    raise AssertionError(f"no section {titles}")


def tables(text: str) -> Iterator[list[str]]:
    """Yield the cells of every row of every table."""
    for line in text.splitlines():
        if line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def anchors(page: Path) -> set[str]:
    """Return what can be linked to, as GitHub makes it of headings."""
    without_code = re.sub(r"```.*?```", "", read(page), flags=re.DOTALL)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", without_code, re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_readme_shows_what_there_is() -> None:
    """Every tracker has a row that says what it can do, no more and no less."""
    head, *rows = [row for row in tables(read(ROOT / "README.md")) if len(row) > 5]
    found = {
        re.findall(r"\(docs/trackers/(\w+)\.md\)", row[0])[0]: dict(
            zip(head, row, strict=True)
        )
        for row in rows
    }
    assert list(found) and set(found) == set(TRACKERS)
    for key, row in found.items():
        tracker = TRACKERS[key]
        assert row["Tracker"].startswith(f"[{tracker.name}]")
        for column, capability in COLUMNS.items():
            can = bool(tracker.may & capability)
            assert (row[column] != "\u2013") == can, f"{key}: {column}"


def test_readme_names_the_commands() -> None:
    for command in ("scripts/demo", "scripts/test"):
        assert f"\n{command} " in read(ROOT / "README.md")
        assert (ROOT / command).is_file()


# pages of trackers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tracker", TRACKERS.values(), ids=list(TRACKERS))
def test_page_of_a_tracker(tracker: type[Tracker]) -> None:
    """Each has the same parts, and names every field and setting as the forms do."""
    page = read(DOCS / "trackers" / f"{tracker.key}.md")
    assert page.startswith(f"# {tracker.name}")
    for title in (
        "What you need",
        "What you get",
        "What can't be had, and why",
        "Requests and limits",
        "Privacy",
        "When something is wrong",
    ):
        assert section(page, title)
    adding = section(page, "Adding the account")
    assert f"> Up Next > {tracker.name}*" in adding
    for step in tracker.sign_in:
        text = TEXTS["config"]["step"][f"{tracker.key}_{step.name}"]
        for label in text.get("data", {}).values():
            assert label in adding, label
        if isinstance(step, Fields) and "sections" in text:
            assert "Base URL (*Advanced*)" in adding
    if tracker.options or tracker.push:
        settings = section(page, "Settings")
        options = TEXTS["options"]["step"][f"{tracker.key}_options"]
        for label in options["data"].values():
            assert label in settings, label


def test_every_page_is_of_a_tracker() -> None:
    pages = {page.stem for page in (DOCS / "trackers").iterdir()}
    assert pages == set(TRACKERS)


# entities ---------------------------------------------------------------------------------------------------------


def test_all_entities_are_documented() -> None:
    entities = section(read(DOCS / "accounts.md"), "Entities")
    named = {name for row in tables(entities) for name in row[0].split(", ")}
    texts = TEXTS["entity"]
    known = {texts["sensor"][description.key]["name"] for description in SENSORS}
    assert named == known | {texts["binary_sensor"]["watching"]["name"], "Entity"}
    attributes = {
        name for row in tables(entities) for name in re.findall(r"`(\w+)`", row[2])
    }
    shown = {
        name
        for description in SENSORS
        for name in texts["sensor"][description.key].get("state_attributes", {})
    }
    assert attributes == shown


def test_states_and_events_of_players_are_documented() -> None:
    page = section(read(DOCS / "scrobbling.md"), "What you get")
    texts = TEXTS["entity"]["sensor"][PLAYBACK.key]["state"]
    for phase in PlayerPhase:
        assert texts[phase.value] in page
        assert f"`{phase.value}`" in page or phase is PlayerPhase.IDLE
    assert EVENT_SCROBBLE in page
    assert all(f"`{event}`" in page for event in EVENT_TYPES)


def test_the_form_of_a_player_is_documented() -> None:
    page = section(read(DOCS / "scrobbling.md"), "Setting it up")
    rows = {row[0] for row in tables(page)}
    form = TEXTS["config_subentries"]["player"]["step"]["user"]["data"]
    thresholds = {"movie_threshold", "episode_threshold"}
    labels = {label for key, label in form.items() if key not in thresholds}
    assert rows == labels | {"Counts as watched from", "Field"}


def test_reasons_to_ignore_are_explained() -> None:
    """All but live television, of which the list of players tells."""
    page = read(DOCS / "scrobbling.md")
    reasons = TEXTS["entity"]["sensor"]["playback"]["state_attributes"]["reason"]
    trouble = section(page, "Troubleshooting").lower()
    for key, reason in reasons["state"].items():
        if key not in {"live_tv", "preroll"}:
            assert reason.lower() in trouble, key


# examples ---------------------------------------------------------------------------------------------------------


def automations() -> Iterator[dict[str, Any]]:
    """Yield the examples that are parts of automations, from every page but that of the actions."""
    for page in PAGES:
        for block in re.findall(r"```yaml\n(.*?)```", read(page), re.DOTALL):
            found = yaml.safe_load(block)
            if isinstance(found, dict) and "actions" in found:
                yield found


async def test_automations_are_valid(hass: HomeAssistant) -> None:
    """As Home Assistant reads them; and they name entities and actions that there are."""
    keys = {description.key for description in SENSORS} | {"watching", "playback"}
    assert await async_setup_component(hass, "homeassistant", {})
    found = list(automations())
    assert len(found) >= 5
    for automation in found:
        assert set(automation) <= {"triggers", "conditions", "actions"}
        triggers = cv.TRIGGER_SCHEMA(automation.get("triggers", []))
        await async_validate_trigger_config(hass, triggers)
        cv.CONDITIONS_SCHEMA(automation.get("conditions", []))
        cv.SCRIPT_SCHEMA(automation["actions"])
        text = yaml.safe_dump(automation, width=1000)
        for name in re.findall(r"\b(?:sensor|binary_sensor)\.\w+", text):
            assert name.endswith(tuple(keys)), name
        for action in re.findall(rf"action: {DOMAIN}\.(\w+)", text):
            assert action in ACTIONS
    with pytest.raises(vol.Invalid):
        cv.SCRIPT_SCHEMA([{"nonsense": 1}])


# the quality scale ------------------------------------------------------------------------------------------------


def test_quality_scale() -> None:
    """What is exempt or open says why."""
    path = ROOT / "custom_components" / DOMAIN / "quality_scale.yaml"
    rules = yaml.safe_load(read(path))["rules"]
    assert len(rules) == 54
    for name, rule in rules.items():
        if isinstance(rule, str):
            assert rule == "done", name
        else:
            assert set(rule) == {"status", "comment"}, name
            assert rule["status"] in ("done", "exempt", "todo"), name
        for page in re.findall(r"docs/[\w/]+(?:\.md)?", str(rule)):
            assert (ROOT / page).exists(), name
