"""What signs in to the simulated services."""

from __future__ import annotations

from collections.abc import Mapping

from .firstlight import IAM_TOKEN, USER_TOKEN
from .letterboxd import USERNAME as MEMBER
from .tautulli import API_KEY as TAUTULLI_KEY
from .trakt_v1 import API_KEY as TRAKT_V1_KEY, PASSWORD, USERNAME

APP: Mapping[str, str] = {
    "client_id": "up-next-client",
    "client_secret": "up-next-secret",
}
"""What is typed in where a device code does the rest."""
LOGINS: Mapping[str, Mapping[str, str]] = {
    "tautulli": {"api_key": TAUTULLI_KEY, "user": "1001"},
    "letterboxd": {"username": MEMBER},
    "trakt_v1": {
        "api_key": TRAKT_V1_KEY,
        "username": USERNAME,
        "password": PASSWORD,
    },
    "firstlight": {"iam_token": IAM_TOKEN, "user_token": USER_TOKEN},
}
"""Tracker -> what is typed in and chosen, where that is the whole sign-in. It is the same in every run."""
