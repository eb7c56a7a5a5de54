"""Strict stand-ins for the trackers' servers, for the demo, the tests and the benchmarks.

Run them with ``python -m simulators``; tests start them in-process through ``Service.serve``.
They hold state, refuse what the real services refuse, and count requests and bytes.
"""
