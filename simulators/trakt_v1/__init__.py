"""A simulated self-hosted server that speaks Trakt's legacy API v1."""

from __future__ import annotations

from .server import API_KEY, PASSWORD, USERNAME, TraktV1

__all__ = ["API_KEY", "PASSWORD", "USERNAME", "TraktV1"]
