"""A strict stand-in for KinoPub (apis/kinopub_firstlight.md sections 2 and 3)."""

from __future__ import annotations

from .grants import CLIENT_ID, CLIENT_SECRET
from .server import KinoPub

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "KinoPub"]
