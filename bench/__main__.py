"""`script/bench`: figures with their goals, as a table and as bench/results.json."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from os import cpu_count, getloadavg
from pathlib import Path

from bench import latency, lists, start
from bench.figures import Figure

PARTS: dict[str, Callable[[], list[Figure]]] = {
    "lists": lists.measure,
    "latency": latency.measure,
    "start": start.measure,
}


def main(names: list[str]) -> None:
    """Measure the named parts (all without names) and report them."""
    figures: list[Figure] = []
    for name in names or PARTS:
        print(f"Measuring: {name}", file=sys.stderr, flush=True)
        figures += PARTS[name]()
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        met = {True: "met", False: "NOT MET", None: ""}[figure.met]
        print(
            f"{figure.name:<{width}} {figure.value:>9.3f} {figure.unit:<8} {figure.goal:<27} {met}"
        )
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": cpu_count(),
            "python": platform.python_version(),
            "load": getloadavg(),
        },
        "figures": [vars(figure) | {"met": figure.met} for figure in figures],
    }
    Path("bench/results.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
