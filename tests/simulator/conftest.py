"""The simulator's own tests reach it as everybody does: through the real clients."""

from __future__ import annotations

from tests.simulator_fixtures import _sample_identity, azure, simulator, simulator_process

__all__ = ["_sample_identity", "azure", "simulator", "simulator_process"]
