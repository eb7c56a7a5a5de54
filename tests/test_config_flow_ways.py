"""Ways to sign in that no tracker has alone: fields and a choice, a code without fields, through the real flow manager."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from custom_components.up_next import config_flow
from custom_components.up_next.context import make_context
from custom_components.up_next.storage import TokensOnDisk
from custom_components.up_next.trackers import TRACKERS
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    SignInError,
    SignInRequired,
    TrackerError,
    Unavailable,
)
from custom_components.up_next.trackers.tracker import DeviceCode, TrackerContext
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from simulators.service import Fault
from simulators.trakt import Trakt

from .conftest import CREDENTIALS, Serve
from .flows import TEXTS, Driver, Toy, add
from .test_config_flow import SERVER, START, quick, toy

__all__ = ["quick", "toy"]


async def toy_flow(hass: HomeAssistant, **changes: str) -> Driver:
    flow = await add(hass)
    await flow.choose("toy_server")
    await flow.send(SERVER | changes)
    return flow


async def test_fields_and_choice(hass: HomeAssistant, toy: None) -> None:
    flow = await add(hass)
    await flow.choose("toy_server")
    assert flow.at["description_placeholders"] == {
        "account": "Toy",
        "manual": "https://toy.example/manual",
    }
    assert [str(key) for key in flow.at["data_schema"].schema] == [
        "base_url",
        "key",
        "room",
        "loud",
    ]
    assert flow.shown == {"base_url": "http://toy.local:1"}
    await flow.send({"base_url": "toy", "key": "secret", "loud": True})
    assert flow.at["errors"] == {"base_url": "invalid_url"}
    assert flow.shown == {"base_url": "toy", "key": "secret", "loud": True}
    await flow.send(SERVER | {"loud": True})
    assert flow.at["step_id"] == "toy_viewer"
    selector = flow.at["data_schema"].schema["viewer"]
    assert selector.config["options"] == [
        {"value": "1", "label": "Ann"},
        {"value": "2", "label": "Bob"},
    ]
    await flow.send({"viewer": "2"})
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY
    assert flow.at["title"] == "Toy (Bob)"
    assert flow.at["data"] == {
        "tracker": "toy",
        "account_id": "2",
        "base_url": "http://toy.local:8181",
        "credentials": {"key": "secret", "loud": "True", "viewer": "2"},
    }
    await hass.async_block_till_done()
    assert flow.at["result"].state is ConfigEntryState.LOADED
    assert await TokensOnDisk(hass, "toy:2").load() is None


async def test_choice_not_to_be_had(
    hass: HomeAssistant, toy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    Toy.raises["viewer"] = Unavailable("down")
    flow = await toy_flow(hass)
    assert flow.at["step_id"] == "toy_server"
    assert flow.at["errors"] == {"base": "cannot_connect"}
    Toy.raises.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Toy, "viewers", {})
        await flow.send(SERVER)
        assert flow.at["errors"] == {"base": "nothing_to_choose"}
    await flow.send(SERVER)
    assert flow.at["step_id"] == "toy_viewer"
    Toy.raises["viewer"] = Unavailable("down")
    await flow.send()  # a reloaded page asks again
    assert flow.at["step_id"] == "failed"
    Toy.raises.clear()
    await flow.send({})
    assert flow.at["step_id"] == "toy_viewer"
    assert not flow.at["errors"]
    await flow.send({"viewer": "1"})
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (TrackerError("?"), "tracker_error"),
        (AccessDenied("locked", key="account_locked"), "account_locked"),
        (ZeroDivisionError(), "unknown"),
    ],
)
async def test_choice_fails_at_the_end(
    hass: HomeAssistant, toy: None, error: Exception, key: str
) -> None:
    flow = await toy_flow(hass)
    Toy.raises["account"] = error
    await flow.send({"viewer": "1"})
    assert flow.at["step_id"] == "failed"
    assert flow.at["errors"] == {"base": key}
    Toy.raises.clear()
    await flow.send({})  # what was chosen is still known
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (SignInError("no", key="invalid_client"), "invalid_client"),
        (SignInError("no"), "sign_in_failed"),
        (SignInRequired("no"), "sign_in_required"),
    ],
)
async def test_wrong_key_leads_back(
    hass: HomeAssistant, toy: None, error: TrackerError, key: str
) -> None:
    """Where the credentials are the sign-in, what is wrong with it is mended by typing."""
    flow = await toy_flow(hass, key="wrong")
    Toy.raises["account"] = error
    await flow.send({"viewer": "1"})
    assert flow.at["step_id"] == "toy_server"
    assert flow.at["errors"] == {"base": key}
    assert flow.shown == {"base_url": "http://toy.local:8181", "key": "wrong"}
    Toy.raises.clear()
    await flow.send(SERVER)
    await flow.send({"viewer": "1"})
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_device_code_first(
    hass: HomeAssistant, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tracker that needs no credentials shows its code at once, and once only."""
    service = await serve(Trakt)
    service.pacing = False
    monkeypatch.setattr(TRACKERS["trakt"], "sign_in", (DeviceCode(),))

    def context(hass: HomeAssistant, data: Any, *args: Any) -> TrackerContext:
        given = {"credentials": CREDENTIALS, "base_url": service.base_url}
        made = make_context(hass, {**data, **given}, *args)
        return replace(made, sleep=lambda _: asyncio.sleep(0.02))

    monkeypatch.setattr(config_flow, "make_context", context)
    monkeypatch.setitem(TEXTS, "config.step.user.menu_options.trakt_device", "Trakt")
    service.faults.append(Fault("status", START["trakt"], status=500))
    flow = await add(hass)
    await flow.choose("trakt_device")
    assert flow.at["step_id"] == "failed"
    assert flow.at["errors"] == {"base": "unavailable"}
    await flow.send({})
    assert flow.at["type"] is FlowResultType.SHOW_PROGRESS
    service.oauth.app_deleted = True  # no form could mend that
    await flow.wait()
    assert flow.at["step_id"] == "failed"
    service.oauth.app_deleted = False
    await flow.send({})
    service.locked = True
    service.approve()
    await flow.wait()
    assert flow.at["errors"] == {"base": "account_locked"}
