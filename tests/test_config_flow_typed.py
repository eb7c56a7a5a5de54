"""Adding and changing accounts that sign in by what is typed, without a code, through the real flow manager."""

from __future__ import annotations

from hashlib import sha1
import json
from pathlib import Path
from typing import Any

from aiohttp import web
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.const import DOMAIN, SCROBBLING
from custom_components.up_next.storage import TokensOnDisk
from custom_components.up_next.trackers import TRACKERS
from custom_components.up_next.trackers.tracker import DeviceCode, Fields
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryState,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from simulators.firstlight import IAM_TOKEN, USER_TOKEN, Firstlight
from simulators.letterboxd import Letterboxd
from simulators.service import Fault, Service
from simulators.tautulli import API_KEY, SERVER_ID, Tautulli, User
from simulators.trakt_v1 import PASSWORD, USERNAME, TraktV1

from .accounts import typed_login
from .conftest import AddAccount, Serve
from .flows import Driver, add, again, options
from .test_config_flow import quick
from .trackers.test_tautulli import self_signed

__all__ = ["quick"]

TYPED = pytest.mark.parametrize(
    "service_class", [Tautulli, Letterboxd, TraktV1, Firstlight]
)
NAMES = {
    "tautulli": "Tautulli (Avery)",
    "letterboxd": "Letterboxd (Someone)",
    "trakt_v1": f"Trakt v1 ({USERNAME})",
    "firstlight": "Firstlight ({place})",
}
SECRETS = {
    "tautulli": {"api_key"},
    "letterboxd": set[str](),
    "trakt_v1": {"api_key", "password"},
    "firstlight": {"iam_token", "user_token"},
}


def typed(service: Service, **changes: Any) -> dict[str, Any]:
    """Return what a user types into the first form; where there is no address to type, that under Advanced."""
    (fields, *_) = TRACKERS[service.name].sign_in
    assert isinstance(fields, Fields)
    asked = {field.name for field in fields.fields}
    login = {k: v for k, v in typed_login(service).items() if k in asked}
    if "base_url" in asked:
        return {"base_url": service.base_url, **login, **changes}
    return {**login, "advanced": {"base_url": service.base_url}, **changes}


def kept(service: Service) -> dict[str, str]:
    """Return the credentials as the entry keeps them."""
    login = typed_login(service)
    if "password" in login:
        login["password"] = f"sha1:{sha1(login['password'].encode()).hexdigest()}"
    return login


def place(service: Service) -> str:
    return service.base_url.removeprefix("http://")


async def begin(hass: HomeAssistant, service: Service) -> Driver:
    """Open the first form."""
    flow = await add(hass)
    await flow.choose(f"{service.name}_credentials")
    assert flow.at["step_id"] == f"{service.name}_credentials"
    return flow


async def submit(flow: Driver, sent: dict[str, Any], user: str = "1001") -> None:
    """Submit the first form, and choose the user where that is asked."""
    await flow.send(sent)
    if flow.at.get("step_id") == "tautulli_user":
        await flow.send({"user": user})
    await flow.hass.async_block_till_done()


async def added(hass: HomeAssistant, service: Service, **changes: Any) -> ConfigEntry:
    """Add an account."""
    flow = await begin(hass, service)
    await submit(flow, typed(service, **changes))
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY, flow.at.get("errors")
    entry: ConfigEntry = flow.at["result"]
    assert entry.state is ConfigEntryState.LOADED
    return entry


async def reconfigure(hass: HomeAssistant, entry: ConfigEntry) -> Driver:
    """Open the form that changes an account."""
    context = {"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
    return again(
        hass, await hass.config_entries.flow.async_init(DOMAIN, context=context)
    )


def files(hass: HomeAssistant) -> bytes:
    """Return all that is kept on disk, and what of the entries will be."""
    entries = [e.as_dict() for e in hass.config_entries.async_entries(DOMAIN)]
    found = [p for p in Path(hass.config.config_dir).rglob("*") if p.is_file()]
    return b"".join(p.read_bytes() for p in found) + repr(entries).encode()


# adding -------------------------------------------------------------------------------------------------------


def test_these_are_all() -> None:
    assert set(NAMES) == {
        key
        for key, tracker in TRACKERS.items()
        if not any(isinstance(step, DeviceCode) for step in tracker.sign_in)
    }


@TYPED
async def test_add(
    hass: HomeAssistant, serve: Serve, service_class: type[Service]
) -> None:
    service = await serve(service_class)
    flow = await begin(hass, service)
    assert not flow.at["errors"]
    assert flow.shown == {}
    # what comes along with copying is dropped, but not from a password
    sent = {
        name: f" {value}\n" if name not in ("password", "advanced") else value
        for name, value in typed(service).items()
    }
    await submit(flow, sent)
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY, flow.at.get("errors")
    entry = flow.at["result"]
    account_id = {
        "tautulli": f"{SERVER_ID}:1001",
        "letterboxd": "someone",
        "trakt_v1": f"{USERNAME}@{place(service)}",
        "firstlight": place(service),
    }[service.name]
    assert entry.data == {
        "tracker": service.name,
        "account_id": account_id,
        "base_url": service.base_url,
        "credentials": kept(service),
    }
    assert entry.unique_id == f"{service.name}:{account_id}"
    assert entry.title == NAMES[service.name].format(place=place(service))
    assert entry.options == {}
    assert entry.state is ConfigEntryState.LOADED
    assert await TokensOnDisk(hass, entry.unique_id).load() is None
    assert not flow.running


async def test_user_of_tautulli(hass: HomeAssistant, serve: Serve) -> None:
    service = await serve(Tautulli)
    flow = await begin(hass, service)
    assert [str(key) for key in flow.at["data_schema"].schema] == [
        "base_url",
        "api_key",
        "self_signed",
    ]
    await flow.send(typed(service))
    assert flow.at["step_id"] == "tautulli_user"
    assert flow.at["data_schema"].schema["user"].config["options"] == [
        {"value": "0", "label": "Local"},
        {"value": "1001", "label": "Avery"},
        {"value": "1002", "label": "blake"},
    ]
    # an empty suggestion: without one the frontend would take the first user, whom nobody chose
    assert flow.shown == {"user": ""}
    with pytest.raises(InvalidData):
        await flow.send({"user": ""})
    await flow.send({"user": "1002"})
    assert flow.at["title"] == "Tautulli (blake)"
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    "text",
    [
        "Someone",
        "@someone",
        "https://letterboxd.com/Someone/films/diary/",
        "letterboxd.com/someone",
    ],
)
async def test_letterboxd_takes_an_address(
    hass: HomeAssistant, serve: Serve, text: str
) -> None:
    entry = await added(hass, await serve(Letterboxd), username=text)
    assert entry.data["credentials"] == {"username": "someone"}
    assert entry.unique_id == "letterboxd:someone"


async def test_letterboxd_links_to_the_service(
    hass: HomeAssistant, serve: Serve
) -> None:
    flow = await begin(hass, await serve(Letterboxd))
    assert flow.at["description_placeholders"]["site"] == "https://letterboxd.com"


async def test_every_character_of_a_password_counts(
    hass: HomeAssistant, serve: Serve
) -> None:
    service = await serve(TraktV1)
    service.password = "  open  sesame "
    flow = await begin(hass, service)
    await submit(flow, typed(service, password="open  sesame"))
    assert flow.at["errors"] == {"base": "invalid_login"}
    await submit(flow, typed(service))
    entry = flow.at["result"]
    assert entry.data["credentials"] == kept(service)


async def test_a_password_is_not_kept(hass: HomeAssistant, serve: Serve) -> None:
    service = await serve(TraktV1)
    entry = await added(hass, service)
    await hass.config_entries.async_unload(entry.entry_id)
    on_disk = await hass.async_add_executor_job(files, hass)
    assert sha1(PASSWORD.encode()).hexdigest().encode() in on_disk
    assert PASSWORD.encode() not in on_disk
    assert not [r for r in service.requests if PASSWORD in f"{r.headers} {r.body!r}"]


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer  "])
async def test_tokens_as_they_are_copied(
    hass: HomeAssistant, serve: Serve, prefix: str
) -> None:
    service = await serve(Firstlight)
    await added(hass, service, iam_token=f"{prefix}{IAM_TOKEN} ")
    assert all(
        r.headers["Authorization"] == f"Bearer {IAM_TOKEN}"
        for r in service.requests
        if r.path.startswith("/user/")
    )


async def test_self_signed_certificate(
    hass: HomeAssistant, serve: Serve, tmp_path: Path
) -> None:
    service = await serve(Tautulli)
    certificate = await hass.async_add_executor_job(self_signed, tmp_path)
    runner = web.AppRunner(service.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate).start()
    # the server complains of clients that do not trust it, in the same loop
    hass.loop.set_exception_handler(lambda *_: None)
    try:
        address = f"https://127.0.0.1:{runner.addresses[0][1]}"
        flow = await begin(hass, service)
        await submit(flow, typed(service, base_url=address))
        assert flow.at["errors"] == {"base": "bad_certificate"}
        assert "self_signed" not in flow.shown
        await submit(flow, typed(service, base_url=address, self_signed=True))
        entry = flow.at["result"]
        assert entry.data["credentials"] == {**kept(service), "self_signed": "True"}
        assert entry.state is ConfigEntryState.LOADED
        flow = await reconfigure(hass, entry)
        assert flow.shown == {"base_url": address, "self_signed": True}
        await submit(flow, {"base_url": address, "self_signed": False})
        assert flow.at["errors"] == {"base": "bad_certificate"}
        # the server without TLS, and nothing to accept
        await submit(flow, {"base_url": service.base_url, "self_signed": False})
        assert flow.at["reason"] == "reconfigure_successful"
        assert entry.data["credentials"] == kept(service)
    finally:
        await hass.config_entries.async_unload(entry.entry_id)
        await runner.cleanup()


async def test_server_with_a_path(hass: HomeAssistant, serve: Serve) -> None:
    """Where the account belongs to its address, the path is part of it."""
    service = await serve(TraktV1)
    app = web.Application()
    app.add_subapp("/old/trakt", service.app())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host = f"127.0.0.1:{runner.addresses[0][1]}"
    flow = await begin(hass, service)
    await submit(flow, typed(service, base_url=f"http://{host}/old/trakt/"))
    # the simulator tells its own paths by the whole one: only the way there is of interest
    assert [r.path for r in service.requests][:1] == [
        f"/old/trakt/account/test/{service.api_key}"
    ]
    await runner.cleanup()


# other accounts -----------------------------------------------------------------------------------------------


@TYPED
async def test_duplicate_is_refused(
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class)
    entry = await add_account(service)
    flow = await begin(hass, service)
    sent = typed(service)
    if "username" in sent:
        sent["username"] = sent["username"].upper()
    await submit(flow, sent)
    assert flow.at["type"] is FlowResultType.ABORT
    assert flow.at["reason"] == "already_configured"
    assert flow.at["description_placeholders"] == {"account": entry.title}
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


async def test_another_user_of_the_same_tautulli(
    hass: HomeAssistant, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Tautulli)
    first = await add_account(service)
    flow = await begin(hass, service)
    await submit(flow, typed(service), user="1002")
    second = flow.at["result"]
    assert second.state is first.state is ConfigEntryState.LOADED
    assert second.unique_id == f"tautulli:{SERVER_ID}:1002"


async def test_another_person_at_the_same_operator(
    hass: HomeAssistant, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Firstlight)
    first = await add_account(service)
    second = await added(hass, service, profile=" Ann ")
    assert second.title == "Firstlight (Ann)"
    assert second.unique_id == f"firstlight:ann@{place(service)}"
    assert second.data["credentials"]["profile"] == "Ann"
    assert first.state is ConfigEntryState.LOADED


# what goes wrong, and recovery --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service_class", "wrong", "error"),
    [
        (Tautulli, {"api_key": "mistyped"}, "invalid_api_key"),
        (Letterboxd, {"username": "no such name"}, "invalid_username"),
        (Letterboxd, {"username": "https://example.org/someone"}, "invalid_username"),
        (Letterboxd, {"username": "nobody"}, "user_not_found"),
        (TraktV1, {"api_key": "mistyped"}, "invalid_api_key"),
        (TraktV1, {"username": "nobody"}, "invalid_login"),
        (TraktV1, {"password": "mistyped"}, "invalid_login"),
        (Firstlight, {"iam_token": "mistyped"}, "invalid_iam_token"),
        (Firstlight, {"user_token": "mistyped"}, "invalid_user_token"),
    ],
)
async def test_mistyped(
    hass: HomeAssistant,
    serve: Serve,
    service_class: type[Service],
    wrong: dict[str, str],
    error: str,
) -> None:
    service = await serve(service_class)
    flow = await begin(hass, service)
    await submit(flow, typed(service, **wrong))
    assert flow.at["type"] is FlowResultType.FORM
    assert flow.at["step_id"] == f"{service.name}_credentials"
    assert flow.at["errors"] == {"base": error}
    ((name, value),) = wrong.items()
    assert flow.shown[name] == value
    await submit(flow, typed(service))
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY, flow.at.get("errors")


@pytest.mark.parametrize(
    ("service_class", "changes", "error"),
    [
        (Tautulli, {"api_enabled": False}, "api_disabled"),
        (Letterboxd, {"private": "404"}, "user_not_found"),
        (Letterboxd, {"blocked": True}, "blocked"),
        (TraktV1, {"over_capacity": True}, "rate_limited"),
        (Firstlight, {"failing": "90"}, "unavailable"),
    ],
)
async def test_not_now(
    hass: HomeAssistant,
    serve: Serve,
    service_class: type[Service],
    changes: dict[str, Any],
    error: str,
) -> None:
    """What was typed is right, and the server does not take it for now."""
    service = await serve(service_class)
    before = {name: getattr(service, name) for name in changes}
    for name, value in changes.items():
        setattr(service, name, value)
    flow = await begin(hass, service)
    await submit(flow, typed(service))
    assert flow.at["errors"] == {"base": error}
    expected = typed(service)
    if (advanced := expected.pop("advanced", None)) is not None:
        expected["advanced.base_url"] = advanced["base_url"]
    assert flow.shown == expected  # nothing has to be typed again
    for name, value in before.items():
        setattr(service, name, value)
    await submit(flow, typed(service))
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY, flow.at.get("errors")


@TYPED
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "reset"}, "cannot_connect"),
        ({"kind": "status", "status": 500}, "unavailable"),
        ({"kind": "html"}, "bad_answer"),
        ({"kind": "html", "status": 403}, "blocked"),
        ({"kind": "empty"}, "bad_answer"),
        (
            {"kind": "status", "status": 429, "headers": {"Retry-After": "77"}},
            "rate_limited",
        ),
    ],
)
async def test_faults(
    hass: HomeAssistant,
    serve: Serve,
    service_class: type[Service],
    fault: dict[str, Any],
    error: str,
) -> None:
    service = await serve(service_class)
    service.faults.append(Fault(times=99, **fault))
    flow = await begin(hass, service)
    await submit(flow, typed(service))
    assert flow.at["step_id"] == f"{service.name}_credentials"
    assert flow.at["errors"] == {"base": error}
    service.faults.clear()
    await submit(flow, typed(service))
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY, flow.at.get("errors")


@TYPED
async def test_empty_and_wrong_fields(
    hass: HomeAssistant, serve: Serve, service_class: type[Service]
) -> None:
    service = await serve(service_class)
    flow = await begin(hass, service)
    sent = typed(service)
    where = "advanced" if "advanced" in sent else "base_url"
    blank: dict[str, Any] = {n: "" if n == "password" else "  " for n in sent}
    blank[where] = {"base_url": "tracker"} if where == "advanced" else "tracker"
    await submit(flow, blank)
    wanted = dict.fromkeys(sent, "required") | {where: "invalid_url"}
    assert flow.at["errors"] == wanted
    assert service.requests == []
    if where == "base_url":
        await submit(flow, blank | {"base_url": ""})
        assert flow.at["errors"]["base_url"] == "required"
    await submit(flow, sent)
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY, flow.at.get("errors")


async def test_a_user_who_leaves_meanwhile(hass: HomeAssistant, serve: Serve) -> None:
    service = await serve(Tautulli)
    flow = await begin(hass, service)
    await flow.send(typed(service))
    gone = [user for user in service.users if user.id == 1001]
    service.users = [user for user in service.users if user.id != 1001]
    await flow.send({"user": "1001"})
    assert flow.at["step_id"] == "tautulli_credentials"
    assert flow.at["errors"] == {"base": "sign_in_failed"}
    await flow.send(typed(service))
    offered = flow.at["data_schema"].schema["user"].config["options"]
    assert [o["label"] for o in offered] == ["Local", "blake"]
    assert flow.shown == {"user": ""}  # the one who was chosen is not offered any more
    service.users += gone
    await flow.send()
    await flow.send({"user": "1001"})
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_a_server_that_fails_after_the_choice(
    hass: HomeAssistant, serve: Serve
) -> None:
    service = await serve(Tautulli)
    flow = await begin(hass, service)
    await flow.send(typed(service))
    service.faults.append(Fault("status", status=500, times=99))
    await flow.send({"user": "1001"})
    assert flow.at["step_id"] == "failed"
    assert flow.at["errors"] == {"base": "unavailable"}
    service.faults.clear()
    await flow.send({})
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_a_tautulli_without_users(hass: HomeAssistant, serve: Serve) -> None:
    service = await serve(Tautulli)
    service.users = list[User]()
    flow = await begin(hass, service)
    await flow.send(typed(service))
    assert flow.at["step_id"] == "tautulli_credentials"
    assert flow.at["errors"] == {"base": "nothing_to_choose"}


# signing in again ---------------------------------------------------------------------------------------------


async def reauth(
    hass: HomeAssistant, entry: MockConfigEntry, service: Service
) -> Driver:
    """Let what was typed become wrong, and go as far as the form of signing in again."""
    if isinstance(service, TraktV1):
        service.private = True  # a public profile is read without a login
    service.revoke_tokens()
    await entry.runtime_data.async_refresh()
    await hass.async_block_till_done()
    (waiting,) = hass.config_entries.flow.async_progress()
    flow = again(
        hass, await hass.config_entries.flow.async_configure(waiting["flow_id"])
    )
    assert flow.at["step_id"] == "reauth_confirm"
    assert flow.at["description_placeholders"]["account"] == entry.title
    await flow.send({})
    assert flow.at["step_id"] == f"{service.name}_credentials"
    return flow


SIGNED_IN = pytest.mark.parametrize("service_class", [Tautulli, TraktV1, Firstlight])


@SIGNED_IN
async def test_reauth(
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class)
    entry = await add_account(service)
    before = dict(entry.data)
    flow = await reauth(hass, entry, service)
    assert not entry.runtime_data.available
    secrets = SECRETS[service.name]
    assert flow.shown == {
        name: value for name, value in typed(service).items() if name not in secrets
    }  # secrets stay where they are
    # the old ones, which are of no use any more
    await submit(flow, {k: v for k, v in typed(service).items() if k not in secrets})
    assert flow.at["step_id"] == f"{service.name}_credentials"
    assert list(flow.at["errors"]) == ["base"]
    assert entry.data == before
    await flow.send(typed(service))
    if service.name == "tautulli":
        assert flow.shown == {"user": "1001"}
        await flow.send({"user": "1001"})
    assert flow.at["type"] is FlowResultType.ABORT
    assert flow.at["reason"] == "reauth_successful"
    await hass.async_block_till_done()
    assert entry.data == {**before, "credentials": kept(service)}
    assert entry.data != before
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data.available
    assert not hass.config_entries.flow.async_progress()


async def test_reauth_keeps_the_profile(
    hass: HomeAssistant, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Firstlight)
    entry = await add_account(
        service, credentials={**typed_login(service), "profile": "Ann"}
    )
    flow = await reauth(hass, entry, service)
    assert flow.shown["profile"] == "Ann"
    await submit(flow, typed(service))
    assert flow.at["reason"] == "wrong_account"
    flow = again(hass, await entry.start_reauth_flow(hass))
    await flow.send({})
    await submit(flow, typed(service, profile="ANN"))
    assert flow.at["reason"] == "reauth_successful"


async def test_reauth_as_somebody_else(
    hass: HomeAssistant, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(TraktV1)
    entry = await add_account(service)
    before = dict(entry.data)
    flow = await reauth(hass, entry, service)
    service.username = "another_user"
    await submit(flow, typed(service))
    assert flow.at["reason"] == "wrong_account"
    assert flow.at["description_placeholders"] == {
        "account": entry.title,
        "other": "another_user",
    }
    assert entry.data == before


# changing -----------------------------------------------------------------------------------------------------


@TYPED
async def test_reconfigure_keeps_secrets(
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class)
    entry = await add_account(service)
    before = json.dumps(dict(entry.data))
    flow = await reconfigure(hass, entry)
    secrets = SECRETS[service.name]
    sent = {k: v for k, v in typed(service).items() if k not in secrets}
    shown = {k: v for k, v in sent.items() if k != "advanced"}
    if "advanced" in sent:
        shown["advanced.base_url"] = service.base_url
    assert flow.shown == shown
    await submit(flow, sent)
    assert flow.at["reason"] == "reconfigure_successful"
    assert json.dumps(dict(entry.data)) == before
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data.last_update_success


@pytest.mark.parametrize("service_class", [Tautulli, Letterboxd])
async def test_new_address(
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class)
    entry = await add_account(service)
    before = dict(entry.data)
    flow = await reconfigure(hass, entry)
    async with service.serve() as moved:
        assert moved != before["base_url"]
        await submit(flow, typed(service))
        assert flow.at["reason"] == "reconfigure_successful"
        assert entry.data == {**before, "base_url": moved}
        assert entry.state is ConfigEntryState.LOADED
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("service_class", [TraktV1, Firstlight])
async def test_account_that_belongs_to_its_address(
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class)
    entry = await add_account(service)
    before = dict(entry.data)
    flow = await reconfigure(hass, entry)
    async with service.serve():
        await submit(flow, typed(service))
        assert flow.at["reason"] == "wrong_account"
        assert entry.data == before


async def test_reconfigure_with_a_new_key(
    hass: HomeAssistant, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Tautulli)
    entry = await add_account(service)
    service.revoke_tokens()
    assert service.api_key != API_KEY
    flow = await reconfigure(hass, entry)
    await flow.send({"base_url": service.base_url})
    assert flow.at["errors"] == {"base": "invalid_api_key"}
    await flow.send(typed(service))
    assert flow.shown == {"user": "1001"}
    await flow.send({"user": "1002"})
    assert flow.at["reason"] == "wrong_account"
    flow = await reconfigure(hass, entry)
    await submit(flow, typed(service))
    assert flow.at["reason"] == "reconfigure_successful"
    assert entry.data["credentials"] == kept(service)


# settings -----------------------------------------------------------------------------------------------------


async def test_unit_of_positions(
    hass: HomeAssistant, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Firstlight, viewer=None)
    service.offsets_in_seconds = True
    entry = await add_account(service)

    def positions() -> set[float | None]:
        playbacks = entry.runtime_data.data.library.playbacks
        return {playback.position for playback in playbacks}

    real = {round(bookmark.position) for bookmark in service.bookmarks.values()}
    assert positions() == {position / 1000 for position in real}
    flow = await options(hass, entry.entry_id)
    assert flow.at["step_id"] == "firstlight_options"
    assert flow.shown == {"unit": "milliseconds"}
    assert flow.at["data_schema"].schema["unit"].config["options"] == [
        "milliseconds",
        "seconds",
    ]
    await flow.send({"unit": "seconds"})
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert entry.options == {"unit": "seconds"}
    await entry.runtime_data.async_refresh()
    assert positions() == real
    flow = await options(hass, entry.entry_id)
    assert flow.shown == {"unit": "seconds"}


@pytest.mark.parametrize("service_class", [Letterboxd, TraktV1])
async def test_nothing_to_set(
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    entry = await add_account(await serve(service_class))
    assert not entry.supports_options
    assert (await options(hass, entry.entry_id)).at["reason"] == "no_options"


@pytest.mark.parametrize("tracker", TRACKERS)
async def test_only_what_has_settings_offers_them(
    hass: HomeAssistant, tracker: str
) -> None:
    entry = MockConfigEntry(
        domain=DOMAIN, unique_id=f"{tracker}:1", data={"tracker": tracker}
    )
    entry.add_to_hass(hass)
    assert entry.supports_options == (tracker not in {"letterboxd", "trakt_v1"})
    flow = await options(hass, entry.entry_id)
    assert entry.supports_options == (flow.at["type"] is FlowResultType.FORM)


async def test_scrobbling_has_settings(hass: HomeAssistant) -> None:
    entry = MockConfigEntry(domain=DOMAIN, unique_id=SCROBBLING)
    entry.add_to_hass(hass)
    assert entry.supports_options


# the outside --------------------------------------------------------------------------------------------------


async def test_secrets_stay_out_of_the_log(
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also at the level of debugging, and when all goes wrong."""
    caplog.set_level("DEBUG", "custom_components.up_next")
    secrets = {USER_TOKEN, IAM_TOKEN, API_KEY, PASSWORD, sha1(PASSWORD.encode()).hexdigest()}  # fmt: skip
    for service_class in (Tautulli, TraktV1, Firstlight):
        service = await serve(service_class)
        service.faults.append(Fault("status", status=418, body="no", times=99))
        flow = await begin(hass, service)
        await submit(flow, typed(service))
        assert flow.at["type"] is FlowResultType.FORM
        service.faults.clear()
        entry = await add_account(service)
        service.faults.append(Fault("reset", times=99))
        await entry.runtime_data.async_refresh()
        assert not entry.runtime_data.last_update_success
    assert "Error in a flow" in caplog.text
    ours = [r.getMessage() for r in caplog.records if "up_next" in r.name]
    assert ours
    assert not [secret for secret in secrets for line in ours if secret in line]
