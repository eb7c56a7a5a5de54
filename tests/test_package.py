"""The package as Home Assistant, HACS and their validators see it: files, texts and icons against the code.

This stands in for hassfest and the HACS action where they cannot run, and is stricter about texts: none is missing
and none is left over.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
import importlib.util
import json
from pathlib import Path
import re
import struct
from typing import Any
from zipfile import ZipFile

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
import pytest
import yaml

from custom_components.up_next.binary_sensor import WATCHING
from custom_components.up_next.const import DOMAIN, SCROBBLING
from custom_components.up_next.event import SCROBBLE
from custom_components.up_next.issues import ACCESS_KEYS
from custom_components.up_next.players import player
from custom_components.up_next.players.corrections_flow import CorrectionsFlow
from custom_components.up_next.players.sensor import PLAYBACK
from custom_components.up_next.sensor import SENSORS
from custom_components.up_next.services import async_setup_services
from custom_components.up_next.trackers import TRACKERS
from custom_components.up_next.trackers.errors import AccessDenied, TrackerError
from custom_components.up_next.trackers.tracker import (
    Choice,
    DeviceCode,
    Fields,
    Tracker,
)
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "custom_components" / DOMAIN

ENTITIES = [
    *(("sensor", description) for description in (*SENSORS, PLAYBACK)),
    ("binary_sensor", WATCHING),
    ("event", SCROBBLE),
]
EXCEPTION_CALLS = {"invalid", "failed", "text"}
"""Functions of actions/texts.py: their first argument, or that after the account, is a key under "exceptions"."""
ABORTS_OF_HOME_ASSISTANT = {
    "reauth_successful",
    "reconfigure_successful",
    "already_in_progress",
}
"""Reasons that its own helpers end a config flow with."""


def read_json(path: Path) -> Any:
    """Read a JSON file, refusing keys that occur twice."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), (
            f"{path.name}: a key occurs twice: {sorted(keys)}"
        )
        return dict(pairs)

    return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)


MANIFEST = read_json(PACKAGE / "manifest.json")
TEXTS = read_json(PACKAGE / "translations" / "en.json")


# the code, as far as it names texts -------------------------------------------------------------------------------


@cache
def sources() -> dict[Path, ast.Module]:
    """Return the syntax tree of every module of the integration."""
    return {
        path: ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def calls() -> Iterator[tuple[Path, str, ast.Call]]:
    """Yield every call with the last part of the called name ("" for anything but a name)."""
    for path, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                function = node.func
                name = getattr(function, "attr", getattr(function, "id", ""))
                yield path, name, node


def constant(node: ast.expr | None) -> str | None:
    """Return the value of a string constant."""
    return (
        node.value
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        else None
    )


def keyword(call: ast.Call, name: str) -> set[str]:
    """Return the string constants that a keyword argument may be: one, or both of a conditional."""
    value = next((k.value for k in call.keywords if k.arg == name), None)
    found = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
    return {text for node in found if (text := constant(node)) is not None}


@cache
def strings() -> frozenset[str]:
    """Return every string constant in the code."""
    return frozenset(
        node.value
        for tree in sources().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


@cache
def patterns() -> tuple[re.Pattern[str], ...]:
    """Return a pattern for every key that the code puts together, as f"fields_for_{kind}"."""
    found: list[re.Pattern[str]] = []
    for tree in sources().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    re.escape(part)
                    if (part := constant(value)) is not None
                    else r"[a-z0-9_]+"
                    for value in node.values
                ]
                pattern = "".join(parts)
                # a mere "{a}_{b}" would fit everything
                if re.search(r"[a-z]{3}", pattern.replace(r"[a-z0-9_]+", "")):
                    found.append(re.compile(pattern))
    return tuple(found)


def is_used(key: str) -> bool:
    """Say whether the code mentions a key, whole or put together."""
    return key in strings() or any(pattern.fullmatch(key) for pattern in patterns())


def tracker_errors() -> dict[str, type[TrackerError]]:
    """Return the errors of trackers/errors.py by name."""
    found: dict[str, type[TrackerError]] = {}
    waiting = [TrackerError]
    while waiting:
        error = waiting.pop()
        found[error.__name__] = error
        waiting += error.__subclasses__()
    return found


def tracker_error_keys(*, outbox: bool = True) -> set[str]:
    """Return the keys that a tracker's errors carry; those only the outbox makes can be left out."""
    errors = tracker_errors()
    keys = {error.key for error in errors.values()}
    for path, name, call in calls():
        again = (
            isinstance(call.func, ast.Call)
            and getattr(call.func.func, "id", "") == "type"
        )
        if (name in errors or again) and (outbox or path.stem != "outbox"):
            keys |= keyword(call, "key")
    return keys


def exception_key(call: ast.Call) -> str | None:
    """Return the key that a call of one of EXCEPTION_CALLS names as a constant."""
    return next((key for node in call.args[:2] if (key := constant(node))), None)


def exception_keys() -> set[str]:
    """Return the keys that the code looks up under "exceptions"."""
    keys = tracker_error_keys()
    for path, name, call in calls():
        if name in EXCEPTION_CALLS and (key := exception_key(call)):
            keys.add(key)
        if name == "Receipt" or name.endswith("refused"):
            keys |= keyword(call, "reason")
        if name.endswith("refused") and call.args and (key := constant(call.args[0])):
            keys.add(key)
        if name != "async_create_issue" and path.stem not in (
            "sensor",
            "binary_sensor",
        ):
            keys |= keyword(call, "translation_key")
    return keys


def abort_reasons(module: str) -> set[str]:
    """Return the reasons with which the flow in a module ends."""
    reasons: set[str] = set()
    for path, name, call in calls():
        if path.stem != module:
            continue
        if name == "AbortFlow" and call.args and (reason := constant(call.args[0])):
            reasons.add(reason)
        if name == "async_abort":
            reasons |= keyword(call, "reason")
    return reasons


def placeholders(text: str) -> set[str]:
    """Return the names of a text's placeholders."""
    return set(re.findall(r"\{(\w+)\}", text))


def leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield every text with its dotted path."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    else:
        assert isinstance(node, str), f"{'.'.join(path)} is not a text"
        yield ".".join(path), node


# manifest, HACS, brand --------------------------------------------------------------------------------------------


def test_manifest() -> None:
    keys = list(MANIFEST)
    assert keys[:2] == ["domain", "name"]
    assert keys[2:] == sorted(keys[2:])
    assert set(keys) | {"quality_scale"} == {
        "domain", "name", "after_dependencies", "codeowners", "config_flow", "dependencies", "documentation",
        "integration_type", "iot_class", "issue_tracker", "loggers", "quality_scale", "requirements", "version",
    }  # fmt: skip
    assert MANIFEST["domain"] == DOMAIN == PACKAGE.name
    assert MANIFEST["name"] == TEXTS["title"] == "Up Next"
    assert MANIFEST["codeowners"]
    assert all(owner.startswith("@") for owner in MANIFEST["codeowners"])
    assert MANIFEST["config_flow"] is True
    assert MANIFEST["integration_type"] == "service"
    assert MANIFEST["iot_class"] == "cloud_polling"
    for key in ("documentation", "issue_tracker"):
        assert re.fullmatch(r"https://[\w./-]+", MANIFEST[key])
    strategy = AwesomeVersion(MANIFEST["version"]).strategy
    assert strategy in (AwesomeVersionStrategy.SEMVER, AwesomeVersionStrategy.PEP440)


def test_manifest_names_what_is_imported() -> None:
    """A component that is imported must be set up before (hassfest: dependencies)."""
    named = {*MANIFEST["dependencies"], *MANIFEST["after_dependencies"]}
    known = {platform.value for platform in Platform} | {
        "diagnostics",
        "logbook",
        "repairs",
        "system_health",
    }
    for path, tree in sources().items():
        for node in ast.walk(tree):
            modules: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules = [node.module]
                if node.module == "homeassistant.components":
                    modules = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            for module in modules:
                if module.startswith("homeassistant.components."):
                    component = module.split(".")[2]
                    assert component in named | known, (
                        f"{path.name} imports {component}"
                    )


def test_hacs() -> None:
    hacs = read_json(ROOT / "hacs.json")
    assert hacs["name"] == MANIFEST["name"]
    assert set(hacs) <= {
        "name", "content_in_root", "country", "filename", "hacs", "hide_default_branch", "homeassistant",
        "persistent_directory", "zip_release",
    }  # fmt: skip
    assert hacs["zip_release"] is True
    assert hacs["filename"] == "up_next.zip"
    assert AwesomeVersion(hacs["homeassistant"]) == AwesomeVersion("2025.4.0")
    assert [
        path.name
        for path in (ROOT / "custom_components").iterdir()
        if path.is_dir() and path.name != "__pycache__"
    ] == [DOMAIN]
    assert (ROOT / "README.md").is_file()
    assert "MIT License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "size"), [("icon.png", 256), ("icon@2x.png", 512)])
def test_brand(name: str, size: int) -> None:
    head = (PACKAGE / "brand" / name).read_bytes()[:26]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, _, color = struct.unpack(">IIBB", head[16:26])
    assert (width, height) == (size, size)
    assert color in (3, 4, 6), "no transparency"


def test_archive(tmp_path: Path) -> None:
    """What HACS unpacks: the integration's files, the manifest at the top, with the version of the release."""
    spec = importlib.util.spec_from_file_location(
        "archive", ROOT / "scripts" / "archive.py"
    )
    assert spec is not None
    assert spec.loader is not None
    archive = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(archive)
    target = tmp_path / "dist" / "up_next.zip"
    names = archive.build("v1.2.3b1", target)
    with ZipFile(target) as built:
        assert built.testzip() is None
        assert json.loads(built.read("manifest.json")) == {
            **MANIFEST,
            "version": "1.2.3b1",
        }
        assert list(json.loads(built.read("manifest.json"))) == list(MANIFEST)
    assert {"__init__.py", "translations/en.json", "brand/icon.png", "py.typed"} <= set(
        names
    )
    assert not [name for name in names if "__pycache__" in name or name.startswith("/")]
    with pytest.raises(ValueError, match="not a version"):
        archive.build("latest", target)


def test_workflows() -> None:
    """The workflows are readable, run our own scripts, and attach the archive that HACS looks for."""
    workflows = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in (ROOT / ".github" / "workflows").glob("*.yml")
    }
    steps = [
        step
        for workflow in workflows.values()
        for job in workflow["jobs"].values()
        for step in job["steps"]
    ]
    uses = {step["uses"] for step in steps if "uses" in step}
    assert {"home-assistant/actions/hassfest@master", "hacs/action@main"} <= uses
    runs = [step["run"] for step in steps if "run" in step]
    for run in runs:
        for script in re.findall(r"scripts/[\w.]+", run):
            assert (ROOT / script).is_file(), script
    assert any("dist/up_next.zip" in run for run in runs)


# texts ------------------------------------------------------------------------------------------------------------


def test_texts_are_clean() -> None:
    """What hassfest refuses: HTML, spaces around, quoted placeholders, references, odd keys."""
    for path, text in leaves(TEXTS):
        assert text, path
        assert text == text.strip(), path
        assert not re.search(r"</?[a-zA-Z][^>]*>", text), f"HTML in {path}"
        assert not re.search(r"'\{\w+\}'", text), f"quoted placeholder in {path}"
        assert "[%key" not in text, path
        for brace in re.findall(r"\{[^}]*\}?", text):
            assert re.fullmatch(r"\{[a-z][a-z0-9_]*\}", brace), f"{brace} in {path}"
        for key in path.split("."):
            assert re.fullmatch(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?", key), path


def test_top_level_texts() -> None:
    assert set(TEXTS) <= {
        "title", "common", "config", "config_subentries", "entity", "exceptions", "issues", "options", "selector", "services",
        "system_health",
    }  # fmt: skip


def test_exceptions_have_texts() -> None:
    texts = TEXTS["exceptions"]
    missing = exception_keys() - set(texts)
    assert not missing
    assert not [key for key in texts if not is_used(key)]
    assert all(set(text) == {"message"} for text in texts.values())


def test_exceptions_get_their_placeholders() -> None:
    """Where a call names its placeholders, they are all that its text needs."""
    checked = 0
    for path, name, call in calls():
        if name not in EXCEPTION_CALLS or any(k.arg is None for k in call.keywords):
            continue
        if (key := exception_key(call)) is None:
            continue
        given = {k.arg for k in call.keywords}
        needed = placeholders(TEXTS["exceptions"][key]["message"])
        assert needed <= given, f"{path.name}:{call.lineno} {key}"
        checked += 1
    assert checked > 5


def test_flow_errors_have_texts() -> None:
    """Whatever a tracker may say while one signs in can be shown."""
    texts = TEXTS["config"]["error"]
    assert not tracker_error_keys(outbox=False) - set(texts)
    assert not [key for key in texts if not is_used(key)]
    for key, text in texts.items():
        assert placeholders(text) <= {"account", "seconds"}, key


def test_flow_endings_have_texts() -> None:
    assert (
        set(TEXTS["config"]["abort"])
        == abort_reasons("config_flow") | ABORTS_OF_HOME_ASSISTANT
    )
    assert set(TEXTS["options"]["abort"]) == abort_reasons(
        "options_flow"
    ) | abort_reasons("corrections_flow")


def test_registry() -> None:
    assert list(TRACKERS) == [
        "trakt",
        "simkl",
        "kinopub",
        "tautulli",
        "letterboxd",
        "trakt_v1",
        "firstlight",
    ]
    assert all(key == tracker.key for key, tracker in TRACKERS.items())


@pytest.mark.parametrize("tracker", TRACKERS.values(), ids=list(TRACKERS))
def test_sign_in_has_texts(tracker: type[Tracker]) -> None:
    config = TEXTS["config"]
    for step in tracker.sign_in:
        name = f"{tracker.key}_{step.name}"
        text = config["step"][name]
        assert text["title"]
        match step:
            case Fields(fields=fields):
                assert text["description"]
                assert placeholders(text["description"]) == set(step.links)
                asked = {field.name for field in fields}
                assert set(text["data"]) == set(text["data_description"]) == asked
                if "base_url" in asked:
                    assert "sections" not in text
                    continue
                advanced = text["sections"]["advanced"]
                assert set(advanced) == {"name", "data", "data_description"}
                assert (
                    set(advanced["data"])
                    == set(advanced["data_description"])
                    == {"base_url"}
                )
            case DeviceCode():
                assert placeholders(config["progress"][name]) == {"code", "url", "link"}
            case Choice():
                assert text["description"]
                assert set(text["data"]) == set(text["data_description"]) == {step.name}
    first = f"{tracker.key}_{tracker.sign_in[0].name}"
    assert config["step"]["user"]["menu_options"][first] == tracker.name


def test_no_sign_in_text_is_left_over() -> None:
    config = TEXTS["config"]
    steps = {
        f"{tracker.key}_{step.name}"
        for tracker in TRACKERS.values()
        for step in tracker.sign_in
    }
    first = {
        f"{tracker.key}_{tracker.sign_in[0].name}" for tracker in TRACKERS.values()
    }
    user = config["step"]["user"]
    offered = first | {SCROBBLING}
    assert set(user["menu_options"]) == offered
    assert set(user.get("menu_option_descriptions", offered)) == offered
    assert set(config["step"]) == steps | {"user", "reauth_confirm", "failed"}
    assert set(config["progress"]) <= steps


def test_options_have_texts() -> None:
    steps = TEXTS["options"]["step"]
    wanted = {
        f"{key}_options"
        for key, tracker in TRACKERS.items()
        if tracker.options or tracker.push
    }
    pushing = {key for key, tracker in TRACKERS.items() if tracker.push}
    corrections = {
        name.removeprefix("async_step_")
        for name in vars(CorrectionsFlow)
        if name.startswith("async_step_")
    }
    at_once = {"remove", "undo", "never"}
    assert set(steps) == (
        wanted | {f"{key}_push" for key in pushing} | corrections - at_once
    )
    for key, tracker in TRACKERS.items():
        for option in tracker.options:
            text = steps[f"{key}_options"]
            assert text["data"][option.name]
            assert text["data_description"][option.name]
            if option.choices:
                assert set(TEXTS["selector"][f"{key}_{option.name}"]["options"]) == set(
                    option.choices
                )
        if tracker.options or tracker.push:
            text = steps[f"{key}_options"]
            fields = {option.name for option in tracker.options}
            if tracker.push:
                fields |= {"push", "local_only"}
                told = placeholders(steps[f"{key}_push"]["description"])
                assert {"url", "template"} <= told <= {"url", "template", "account"}
            assert set(text["data"]) == set(text["data_description"]) == fields


def test_players_have_texts() -> None:
    """Every field of the form has its texts, in both of its steps, and so has every error."""
    texts = TEXTS["config_subentries"]["player"]
    fields = {
        value
        for name, value in vars(player).items()
        if name.startswith("CONF_") and isinstance(value, str)
    }
    assert set(texts["step"]) == {"user", "reconfigure"}
    for step in texts["step"].values():
        assert step["title"]
        assert step["description"]
        assert set(step["data"]) == set(step["data_description"]) == fields
    assert all(is_used(key) for key in texts["error"])
    assert set(texts["abort"]) == {"reconfigure_successful"}


def test_issues_have_texts() -> None:
    created = set[str]()
    for _, name, call in calls():
        if name == "async_create_issue":
            created |= keyword(call, "translation_key")
    issues = TEXTS["issues"]
    assert created
    assert created <= set(issues)
    assert all(is_used(key) for key in issues)
    for key, issue in issues.items():
        assert issue["title"], key
        assert ("description" in issue) != ("fix_flow" in issue), key
    aborts = {
        reason
        for issue in issues.values()
        for reason in issue.get("fix_flow", {}).get("abort", {})
    }
    assert aborts == abort_reasons("repairs") | abort_reasons("waiting_flow")


def test_refusals_have_texts() -> None:
    """Whatever a tracker says when a service refuses access has an issue of its own."""
    assert set(TEXTS["issues"]) >= ACCESS_KEYS
    said = {AccessDenied.key}
    for _, name, call in calls():
        if name == "AccessDenied":
            said |= keyword(call, "key")
    assert said == ACCESS_KEYS
    assert all(f'"{key}"' in str(AccessDenied.__doc__) for key in ACCESS_KEYS)


@pytest.mark.parametrize(
    ("platform", "description"),
    ENTITIES,
    ids=lambda value: getattr(value, "key", value),
)
def test_entities_have_texts_and_icons(platform: str, description: Any) -> None:
    key = description.translation_key or description.key
    assert key == description.key
    text = TEXTS["entity"][platform][key]
    assert text["name"]
    icon = read_json(PACKAGE / "icons.json")["entity"][platform][key]
    assert icon["default"].startswith("mdi:")
    for state, other in icon.get("state", {}).items():
        assert other != icon["default"], "a state's icon is the default one"
        assert state in text["state"], f"{key} has no state {state}"


def test_no_entity_text_or_icon_is_left_over() -> None:
    keys: dict[str, set[str]] = {}
    for platform, description in ENTITIES:
        keys.setdefault(platform, set()).add(description.key)
    icons = read_json(PACKAGE / "icons.json")["entity"]
    for found in (TEXTS["entity"], icons):
        assert {platform: set(rows) for platform, rows in found.items()} == keys


# actions ----------------------------------------------------------------------------------------------------------


@cache
def actions() -> dict[str, Any]:
    """Return services.yaml."""
    found: dict[str, Any] = yaml.safe_load(
        (PACKAGE / "services.yaml").read_text(encoding="utf-8")
    )
    return found


def fields(action: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Return an action's fields, those in sections included, and the names of its sections."""
    found: dict[str, Any] = {}
    sections: set[str] = set()
    for name, field in (action.get("fields") or {}).items():
        if "fields" in field:
            sections.add(name)
            found |= field["fields"]
        else:
            found[name] = field
    return found, sections


async def test_actions_are_described(hass: HomeAssistant) -> None:
    async_setup_services(hass)
    registered = hass.services.async_services_for_domain(DOMAIN)
    assert set(registered) == set(actions())
    assert set(TEXTS["services"]) == set(actions())
    icons = read_json(PACKAGE / "icons.json")["services"]
    assert set(icons) == set(actions())
    assert all(icon["service"].startswith("mdi:") for icon in icons.values())


def test_no_action_has_entity_targets() -> None:
    """Accounts are chosen by the field `account`, which may be left out."""
    for name, action in actions().items():
        assert "target" not in (action or {}), name
        if name in {"get_matches", "forget_match"}:  # they are about no account
            continue
        selector = fields(action)[0]["account"]["selector"]["device"]
        assert selector["multiple"] is True, name
        assert (
            selector["integration"] == DOMAIN
            if "integration" in selector
            else selector["filter"]
        ), name


def test_action_fields_have_texts() -> None:
    for name, action in actions().items():
        text = TEXTS["services"][name]
        assert text["name"], name
        assert text["description"], name
        found, sections = fields(action)
        assert set(text.get("fields", {})) == set(found), name
        for key, field in text.get("fields", {}).items():
            assert set(field) == {"name", "description"}, f"{name}.{key}"
        assert set(text.get("sections", {})) == sections, name
        for key, field in found.items():
            assert field.get("selector"), f"{name}.{key} has no selector"
            assert set(field) <= {
                "required",
                "example",
                "selector",
                "default",
                "filter",
            }, f"{name}.{key}"


def test_selectors_have_texts() -> None:
    # what the code itself looks up by its path
    used = {
        key
        for key in TEXTS["selector"]
        if any(f".selector.{key}." in text for text in strings())
    }
    for action in actions().values():
        for field in fields(action)[0].values():
            for selector in field["selector"].values():
                if isinstance(selector, dict) and (
                    key := selector.get("translation_key")
                ):
                    options = [
                        o["value"] if isinstance(o, dict) else o
                        for o in selector["options"]
                    ]
                    assert set(TEXTS["selector"][key]["options"]) == set(options), key
                    used.add(key)
    for key, tracker in TRACKERS.items():
        used |= {f"{key}_{option.name}" for option in tracker.options if option.choices}
    assert set(TEXTS["selector"]) == used
