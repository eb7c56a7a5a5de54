"""What the flows show: errors, and the fields of their forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import logging
from typing import Final

import voluptuous as vol
from yarl import URL

from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from .trackers.errors import SignInError, SignInRequired, TrackerError, Unavailable
from .trackers.tracker import Choice, FieldKind, Option

_LOGGER = logging.getLogger(__name__)

type UserInput = Mapping[str, object] | None

_TEXT_TYPES: Final = {
    FieldKind.TEXT: TextSelectorType.TEXT,
    FieldKind.SECRET: TextSelectorType.PASSWORD,
    FieldKind.PASSWORD: TextSelectorType.PASSWORD,
    FieldKind.URL: TextSelectorType.URL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as a form shows it: a key of the `config.error` texts and what fills its placeholders."""

    key: str
    placeholders: Mapping[str, str] = field(default_factory=dict)
    ends_grant: bool = False
    """What was granted is of no use: another try has to begin with a new sign-in."""

    @classmethod
    def of(cls, error: BaseException) -> Problem:
        """Translate a tracker's error; anything else is logged as unexpected."""
        if not isinstance(error, TrackerError):
            _LOGGER.error("Unexpected error in a flow", exc_info=error)
            return cls(key="unknown")
        key = error.translation_key
        _LOGGER.debug("Error in a flow: %s (%s)", key, error)
        if isinstance(error, Unavailable) and key == "unavailable":
            key = key if error.answered else "cannot_connect"
        return cls(
            key=key,
            placeholders=error.placeholders,
            ends_grant=isinstance(error, (SignInError, SignInRequired)),
        )


def normalise_url(text: str) -> str:
    """Return an address without a slash at its end. Raises ValueError unless it is plain http(s) with a host."""
    url = URL(text)
    if (
        url.scheme not in ("http", "https")
        or not url.host
        or any(c.isspace() or c in "@?#" for c in text)
    ):
        raise ValueError("not a plain http(s) address")
    return str(url).rstrip("/")


def checked_url(text: str, name: str, errors: dict[str, str]) -> str:
    """Return the address in its plain form; when it is none, return it as it is and note the error."""
    try:
        return normalise_url(text) if text else ""
    except ValueError:
        errors[name] = "invalid_url"
        return text


def text_selector(kind: FieldKind) -> TextSelector | BooleanSelector:
    """Return the selector of a credential."""
    if kind is FieldKind.SWITCH:
        return BooleanSelector()
    return TextSelector(TextSelectorConfig(type=_TEXT_TYPES[kind]))


def suggest(value: str | bool | Sequence[str]) -> dict[str, object] | None:
    """Return the description of a schema marker that fills its field in; None for an empty field."""
    return {"suggested_value": value} if value else None


def choice_schema(
    step: Choice, offered: Mapping[str, str], chosen: str = ""
) -> vol.Schema:
    """Return the form of a `Choice`: one of what the service offers (value -> name), filled in with `chosen`.

    Where nothing was chosen, nothing is preselected: without the empty suggestion the first one would be.
    """
    selector = SelectSelector(SelectSelectorConfig(options=_select_options(offered)))
    suggested = {"suggested_value": chosen if chosen in offered else ""}
    return vol.Schema({vol.Required(step.name, description=suggested): selector})


def option_selector(
    tracker: str,
    option: Option,
    chosen: Sequence[str],
    offered: Mapping[str, str] | None,
) -> SelectSelector:
    """Return the selector of an option. `offered` is None for choices with translated names.

    What is chosen stays selectable though the service no longer offers it, or does not answer.
    """
    config = SelectSelectorConfig(options=[], multiple=option.multiple)
    if offered is None:
        missing = [c for c in chosen if c not in option.choices]
        config["options"] = [*option.choices, *missing]
        config["translation_key"] = f"{tracker}_{option.name}"
        config["mode"] = SelectSelectorMode.LIST
    else:
        config["options"] = _select_options({c: c for c in chosen} | dict(offered))
        config["mode"] = SelectSelectorMode.DROPDOWN
    return SelectSelector(config)


def _select_options(choices: Mapping[str, str]) -> list[SelectOptionDict]:
    return [SelectOptionDict(value=v, label=n) for v, n in choices.items()]
