"""One measured number, and the goal that it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Figure:
    """`limit`: the goal is met at or below it; None where there is no goal."""

    name: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def goal(self) -> str:
        """The goal in words."""
        return f"goal: at most {self.limit:g} {self.unit}" if self.limit is not None else ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met."""
        return None if self.limit is None else self.value <= self.limit


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
