"""Which approvals a change needs before it is applied.

Today one rule holds everywhere: one approval by somebody who did not write the change. A policy
is chosen by the environments of the targets, so that rules of environments fit in here; its
version is part of the content and so of the digest.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What must be there before a write; the longest time a review and an approval stand."""

    version: str
    approvals_needed: int
    review_time: timedelta
    approval_time: timedelta


DEFAULT = Policy(
    version="default-1",
    approvals_needed=1,
    review_time=timedelta(days=14),
    approval_time=timedelta(hours=72),  # performance text 3.5: expiry
)
_VERSIONS = {DEFAULT.version: DEFAULT}


def policy_for(environment_ids: Collection[int | None]) -> Policy:
    """The policy for a change with targets in these environments."""
    return DEFAULT


def policy_named(version: str) -> Policy:
    """The policy that a change was submitted under; KeyError for an unknown version."""
    return _VERSIONS[version]
