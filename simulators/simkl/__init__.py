"""A strict stand-in for Simkl (apis/simkl.md), sign-in V2 only. All of its hosts share one base URL here."""

from .server import Simkl

__all__ = ["Simkl"]
