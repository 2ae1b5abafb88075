"""The cluster behind ARM: what an agent and Flux's controllers do with a configuration."""

from __future__ import annotations

from .report import ConfigurationReport
from .simulation import ClusterSimulation

__all__ = ["ClusterSimulation", "ConfigurationReport"]
