"""Figures beside their limits."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """Prints figures as they come, and remembers those over their limit."""

    over: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Begin a group of figures."""
        print(f"\n{text}", flush=True)

    def figure(
        self, name: str, value: float, unit: str, limit: float | None = None
    ) -> None:
        """Print one figure; `limit` is the largest good one."""
        number = f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
        text = f"  {name:<58} {number:>9} {unit:<9}"
        if limit is not None:
            good = value <= limit
            text += f" limit {limit:g}" + ("" if good else "   OVER")
            if not good:
                self.over.append(f"{name}: {number} {unit}, limit {limit:g}")
        print(text.rstrip(), flush=True)

    def note(self, text: str) -> None:
        """Print a remark."""
        print(f"  {text}", flush=True)
