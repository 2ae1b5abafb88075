"""The typed specification of a fluxConfiguration: models, rules, wire form and digest.

Pure: no database, no network. `api-version` 2025-04-01, with 2023-05-01 as the older one.
"""

from __future__ import annotations

from configurations.specification.models import Specification
from configurations.specification.rules import violations_of
from configurations.specification.violations import Violation
from configurations.specification.wire import (
    desired_part,
    equal_to_desired,
    live_digest,
    normalised,
)

__all__ = [
    "Specification",
    "Violation",
    "desired_part",
    "equal_to_desired",
    "live_digest",
    "normalised",
    "violations_of",
]
