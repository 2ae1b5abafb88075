"""What is there at the first start."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from simulator.seed.fleet import plant_fleet
from simulator.seed.tutorial import plant_tutorial

if TYPE_CHECKING:
    from simulator.core import Simulator

_FLEET = re.compile(r"fleet:(\d+)x(\d+)\Z")


def check_seed(seed: str) -> str:
    """Return the seed's name; raises ``ValueError`` for one that does not exist."""
    if seed != "tutorial" and not _FLEET.match(seed):
        raise ValueError(f"--seed takes tutorial or fleet:CLUSTERSxCONFIGS, not {seed!r}")
    return seed


def plant(simulator: Simulator, seed: str) -> None:
    """Fill an empty simulation. One that has resources is left as it is."""
    check_seed(seed)
    if len(simulator.store):
        return
    with simulator.lock, simulator.store.transaction():
        match = _FLEET.match(seed)
        if match is None:
            plant_tutorial(simulator)
        else:
            plant_fleet(simulator, clusters=int(match[1]), configurations=int(match[2]))
