"""What microsoft.flux can be told: one catalogue for the form, the checks and the review.

Sources: the tutorial (controllers, resources, drift, out-of-memory watch, log levels, SSH host
keys, pod annotation, workload identity, kubelet identity) and azure-contract 3.3.
"""

from __future__ import annotations

from clusters.extension_settings.catalogue import (
    CATALOGUE,
    CONTROLLERS,
    Group,
    Setting,
    setting_of,
)
from clusters.extension_settings.checks import difference, refusals

__all__ = ["CATALOGUE", "CONTROLLERS", "Group", "Setting", "difference", "refusals", "setting_of"]
