"""A simulated Tautulli server and the Plex server behind it."""

from __future__ import annotations

from .rows import Row, Session, User
from .server import API_KEY, SERVER_ID, Tautulli

__all__ = ["API_KEY", "SERVER_ID", "Row", "Session", "Tautulli", "User"]
