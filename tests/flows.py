"""Driving flows as a user does, and reading what is shown: every form, menu and message has its texts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
import json
from pathlib import Path
import re
from typing import Any, ClassVar

from custom_components import up_next
from custom_components.up_next.account import Account, Capability
from custom_components.up_next.const import DOMAIN
from custom_components.up_next.library import Library, Play, ShowDetail
from custom_components.up_next.media import Ids, MediaItem
from custom_components.up_next.trackers.errors import SignInRequired
from custom_components.up_next.trackers.tracker import (
    Candidate,
    Choice,
    Field,
    FieldKind,
    Fields,
    Option,
    Page,
    Query,
    QueuedWrite,
    Refresh,
    SignInStep,
    Tracker,
)
from custom_components.up_next.writes import Receipt, Write
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowManager, FlowResultType, section
from homeassistant.helpers.data_entry_flow import FlowManagerIndexView
from homeassistant.helpers.selector import SelectSelector

type Result = dict[str, Any]


class Driver:
    """One flow, from its start; each result is checked for texts and kept as `at`."""

    def __init__(
        self, hass: HomeAssistant, manager: FlowManager[Any, Any, Any], part: str
    ) -> None:
        self.hass = hass
        self.manager = manager
        self.part = part
        self.at: Result = {}

    @property
    def id(self) -> str:
        return str(self.at["flow_id"])

    @property
    def running(self) -> bool:
        return any(
            flow["flow_id"] == self.id
            for flow in self.manager.async_progress(include_uninitialized=True)
        )

    def take(self, result: Any) -> Result:
        """Take over what a flow answered, and check that nothing of it lacks a text."""
        self.at = result
        check_texts(self.part, result)
        return self.at

    async def send(self, user_input: Mapping[str, Any] | None = None) -> Result:
        """Submit a form, or look again."""
        sent = None if user_input is None else dict(user_input)
        return self.take(await self.manager.async_configure(self.id, sent))

    async def choose(self, option: str) -> Result:
        """Choose from the menu."""
        return await self.send({"next_step_id": option})

    async def wait(self) -> Result:
        """Wait until the progress step is over, and look what follows, as the frontend does."""
        async with asyncio.timeout(10):
            while self.at["type"] is FlowResultType.SHOW_PROGRESS:
                await asyncio.sleep(0.01)
                await self.send()
        return self.at

    @property
    def shown(self) -> dict[str, Any]:
        """Return what the form is filled in with; a section's fields by "section.field"."""
        found: dict[str, Any] = {}
        for key, value in self.at["data_schema"].schema.items():
            fields = (
                {f"{key}.{k}": k for k in value.schema.schema}
                if isinstance(value, section)
                else {str(key): key}
            )
            for name, marker in fields.items():
                if marker.description:
                    found[name] = marker.description["suggested_value"]
        return found


async def add(hass: HomeAssistant) -> Driver:
    """Begin to add an account: the menu."""
    driver = Driver(hass, hass.config_entries.flow, "config")
    driver.take(
        await hass.config_entries.flow.async_init(
            DOMAIN, context={"source": SOURCE_USER}
        )
    )
    return driver


def again(hass: HomeAssistant, result: Any) -> Driver:
    """Go on with a flow that an entry began (reauth, reconfigure)."""
    driver = Driver(hass, hass.config_entries.flow, "config")
    driver.take(result)
    return driver


async def options(hass: HomeAssistant, entry_id: str) -> Driver:
    """Open the settings of an account."""
    driver = Driver(hass, hass.config_entries.options, "options")
    driver.take(await hass.config_entries.options.async_init(entry_id))
    return driver


def check_texts(part: str, result: Result) -> None:
    """Assert that all a result shows has its text, and that every placeholder of these texts is filled."""
    if result["type"] is FlowResultType.ABORT and result.get("translation_domain"):
        return  # a text of Home Assistant's own
    texts = TEXTS | TOY_TEXTS
    filled = result.get("description_placeholders") or {}
    for key in _keys(result):
        text = texts.get(f"{part}.{key}")
        assert text, f"no text for {part}.{key}"
        missing = set(re.findall(r"{(\w+)}", text)) - set(filled)
        assert not missing, f"{part}.{key}: nothing for {missing}"
    if result["type"] is not FlowResultType.FORM or result["data_schema"] is None:
        return
    # the frontend has to get it, too
    json.dumps(FlowManagerIndexView(None)._prepare_result_json(result), default=str)  # type: ignore[arg-type]
    for selector in result["data_schema"].schema.values():
        config = selector.config if isinstance(selector, SelectSelector) else {}
        if name := config.get("translation_key"):
            for value in config["options"]:
                assert f"selector.{name}.options.{value}" in texts


def _keys(result: Result) -> Sequence[str]:
    match result["type"]:
        case FlowResultType.MENU:
            step = f"step.{result['step_id']}"
            options = [f"{step}.menu_options.{o}" for o in result["menu_options"]]
            return [f"{step}.title", f"{step}.description", *options]
        case FlowResultType.SHOW_PROGRESS:
            return [
                f"progress.{result['progress_action']}",
                f"step.{result['step_id']}.title",
            ]
        case FlowResultType.ABORT:
            return [f"abort.{result['reason']}"]
        case FlowResultType.FORM:
            step = f"step.{result['step_id']}"
            keys = [f"{step}.title", f"{step}.description"]
            keys += [f"error.{error}" for error in (result["errors"] or {}).values()]
            schema = result["data_schema"]
            for key, value in (schema.schema if schema is not None else {}).items():
                if isinstance(value, section):
                    part = f"{step}.sections.{key}"
                    keys.append(f"{part}.name")
                    for inner in value.schema.schema:
                        keys += [f"{part}.data.{inner}"]
                        keys += [f"{part}.data_description.{inner}"]
                else:
                    keys += [f"{step}.data.{key}", f"{step}.data_description.{key}"]
            return keys
    return []


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


TEXTS = _flat(
    json.loads(
        (Path(up_next.__file__).parent / "translations/en.json").read_text("utf-8")
    )
)
TOY_TEXTS = {
    "config.step.user.menu_options.toy_server": "Toy",
    "config.step.toy_server.title": "Toy",
    "config.step.toy_server.description": "See {manual}.",
    "config.step.toy_server.data.base_url": "Server",
    "config.step.toy_server.data_description.base_url": "Its address.",
    "config.step.toy_server.data.key": "Key",
    "config.step.toy_server.data_description.key": "Its key.",
    "config.step.toy_server.data.room": "Room",
    "config.step.toy_server.data_description.room": "Any.",
    "config.step.toy_server.data.loud": "Loud",
    "config.step.toy_server.data_description.loud": "Or not.",
    "config.step.toy_viewer.title": "Viewer",
    "config.step.toy_viewer.description": "Who?",
    "config.step.toy_viewer.data.viewer": "Viewer",
    "config.step.toy_viewer.data_description.viewer": "Who watches.",
    "options.step.toy_options.title": "Toy",
    "options.step.toy_options.description": "{account}",
    **{
        f"options.step.toy_options.{kind}.{name}": "x"
        for kind in ("data", "data_description")
        for name in ("kinds", "order", "lists", "folder")
    },
    **{f"selector.toy_kinds.options.{k}": k for k in ("movies", "shows")},
    **{f"selector.toy_order.options.{k}": k for k in ("newest", "oldest", "gone")},
}


class Toy(Tracker):
    """A tracker on a server of one's own, with an API key and several viewers; it lives in this file."""

    key = "toy"
    name = "Toy"
    may = Capability.WATCHLIST
    sign_in: ClassVar[tuple[SignInStep, ...]] = (
        Fields(
            name="server",
            fields=(
                Field(
                    name="base_url", kind=FieldKind.URL, default="http://toy.local:1"
                ),
                Field(name="key", kind=FieldKind.SECRET),
                Field(name="room", required=False),
                Field(name="loud", kind=FieldKind.SWITCH, required=False),
            ),
            links={"manual": "https://toy.example/manual"},
        ),
        Choice(name="viewer"),
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            name="kinds",
            choices=("movies", "shows"),
            multiple=True,
            default=("movies", "shows"),
        ),
        Option(name="order", choices=("newest", "oldest"), default=("newest",)),
        Option(name="lists", multiple=True),
        Option(name="folder"),
    )
    viewers: ClassVar[dict[str, str]] = {"1": "Ann", "2": "Bob"}
    lists: ClassVar[dict[str, str]] = {"7": "Best of", "8": "With Bob"}
    raises: ClassVar[dict[str, Exception]] = {}
    """What a method, or the choices of a name, raise."""
    signed_out: ClassVar[list[str]] = []

    async def choices(self, name: str) -> Mapping[str, str]:
        if name in self.raises:
            raise self.raises[name]
        return self.viewers if name == "viewer" else self.lists

    async def account(self) -> Account:
        if "account" in self.raises:
            raise self.raises["account"]
        if self.context.credentials["key"] != "secret":
            raise SignInRequired("wrong key")
        viewer = self.context.credentials["viewer"]
        return Account(id=viewer, name=self.viewers[viewer], can=self.may)

    async def refresh(self, previous: Library | None) -> Refresh:
        library = Library(account=await self.account(), read_at=datetime.now(UTC))
        return Refresh(library=previous or library, next_in=600)

    async def show(self, show: Ids) -> ShowDetail:
        raise NotImplementedError

    async def history(
        self, cursor: str | None = None, item: MediaItem | None = None
    ) -> Page[Play]:
        raise NotImplementedError

    async def search(self, query: Query) -> Sequence[Candidate]:
        raise NotImplementedError

    def combine(self, writes: Sequence[Write]) -> int:
        return len(writes)

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        raise NotImplementedError

    async def sign_out(self) -> None:
        if "sign_out" in self.raises:
            raise self.raises["sign_out"]
        self.signed_out.append(self.context.credentials["viewer"])
