"""Putting a simulation together from the choices of the command line or of a test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from simulator.certificates import load_certificates
from simulator.clock import Clock
from simulator.core import Simulator
from simulator.sample import materialise
from simulator.seed import plant
from simulator.sources import TUTORIAL_URL, Access, SourceMap


def build_simulator(
    data_directory: Path,
    *,
    seed: str = "tutorial",
    repositories: Mapping[str, Path] | None = None,
    pace: float = 1.0,
    throttle: bool = True,
    clock: Clock | None = None,
    access: Iterable[tuple[str, Access]] = (),
) -> Simulator:
    """Open a data directory, or make it with the seed. The tutorial's URL maps to the sample."""
    data_directory.mkdir(parents=True, exist_ok=True)
    sources = SourceMap()
    if TUTORIAL_URL not in (repositories or {}):
        sources.add(TUTORIAL_URL, materialise(data_directory / "sample"))
    for url, path in (repositories or {}).items():
        sources.add(url, path)
    for url, wanted in access:
        sources.expect(url, wanted)
    simulator = Simulator(
        data_directory,
        clock=clock,
        pace=pace,
        throttle=throttle,
        sources=sources,
        ca_file=load_certificates(data_directory).authority,
    )
    plant(simulator, seed)
    return simulator
