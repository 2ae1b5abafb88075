"""Statuses for large fleets: believable, made without git, kubectl or a cluster."""

from __future__ import annotations

import hashlib
import heapq
from datetime import datetime
from typing import TYPE_CHECKING

from simulator.clock import wire_time
from simulator.http import Document
from simulator.store import Resource

if TYPE_CHECKING:
    from simulator.core import Simulator

_PENDING_SECONDS = 6
# Out of a thousand configurations so many are not simply compliant.
_MIX = (("Non-Compliant", 60), ("Pending", 25), ("Suspended", 15))
_BUILD_FAILED = (
    "kustomize build failed: accumulating resources: accumulation err='accumulating resources "
    "from '../base': '/tmp/kustomization-2819/base' must resolve to a file': "
    "evalsymlink failure on '/tmp/kustomization-2819/base'"
)
_HEALTH_CHECK_FAILED = (
    "health check failed after 5m0s: timeout waiting for: "
    "[Deployment/{namespace}/web status: 'InProgress']"
)
_ARTIFACT_FAILED = (
    "kustomization path not found: stat /tmp/kustomization-1874/apps/production: "
    "no such file or directory"
)
_PROBLEMS = (
    ("BuildFailed", _BUILD_FAILED),
    ("DependencyNotReady", "dependency '{namespace}/{configuration}-infra' is not ready"),
    ("HealthCheckFailed", _HEALTH_CHECK_FAILED),
    ("ArtifactFailed", _ARTIFACT_FAILED),
)


def compliance_of(seed: str) -> str:
    """Choose a state by hash, in the proportions of a fleet that is mostly well."""
    number = int(hashlib.sha256(seed.encode()).hexdigest()[:8], 16) % 1000
    for state, share in _MIX:
        if number < share:
            return state
        number -= share
    return "Compliant"


def observed(
    *, name: str, properties: Document, state: str, commit: str, now: datetime
) -> Document:
    """Return the read-only properties of a configuration in a state."""
    namespace = properties["namespace"]
    revision = f"{_branch(properties)}@sha1:{commit}"
    time = wire_time(now)
    fetched = state in ("Compliant", "Non-Compliant", "Suspended")
    source_state = "Suspended" if state == "Suspended" else "Compliant" if fetched else "Pending"
    statuses = [
        _status(
            name,
            namespace,
            str(properties["sourceKind"]),
            source_state,
            "Succeeded" if fetched else "Progressing",
            f"stored artifact for revision '{revision}'" if fetched else "reconciling",
            time,
        )
    ]
    for number, kustomization in enumerate(properties["kustomizations"]):
        last = number == len(properties["kustomizations"]) - 1
        own = state if last or state != "Non-Compliant" else "Compliant"
        reason, message = _verdict(own, name, namespace, revision)
        statuses.append(
            _status(
                f"{name}-{kustomization}", namespace, "Kustomization", own, reason, message, time
            )
        )
    return {
        "complianceState": state,
        "statuses": statuses,
        "repositoryPublicKey": "",
        "sourceSyncedCommitId": revision if fetched else None,
        "sourceUpdatedAt": time if fetched else None,
        "statusUpdatedAt": time,
        "errorMessage": "",
    }


def _verdict(state: str, name: str, namespace: str, revision: str) -> tuple[str, str]:
    if state == "Non-Compliant":
        number = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
        reason, text = _PROBLEMS[number % len(_PROBLEMS)]
        return reason, text.format(namespace=namespace, configuration=name)
    if state == "Pending":
        return "Progressing", "Reconciliation in progress"
    return "ReconciliationSucceeded", f"Applied revision: {revision}"


def _status(
    name: str, namespace: str, kind: str, state: str, reason: str, message: str, time: str
) -> Document:
    ready = {"Compliant": "True", "Suspended": "True", "Non-Compliant": "False"}
    return {
        "name": name,
        "namespace": namespace,
        "kind": kind,
        "complianceState": state,
        "appliedBy": None,
        "helmReleaseProperties": None,
        "statusConditions": [
            {
                "type": "Ready",
                "status": ready.get(state, "Unknown"),
                "reason": reason,
                "message": message,
                "lastTransitionTime": time,
            }
        ],
    }


def _branch(properties: Document) -> str:
    reference = (properties.get("gitRepository") or {}).get("repositoryRef") or {}
    return str(reference.get("branch") or "main")


def commit_of(seed: str) -> str:
    return hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()


class SyntheticAgents:
    """Moves written configurations of fleet clusters from Pending to Compliant."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator
        self._queue: list[tuple[datetime, str]] = []
        self._turn = 0

    def put(self, cluster: Resource, name: str) -> None:
        key = f"{cluster.key}/providers/microsoft.kubernetesconfiguration/fluxconfigurations/{name}"
        self._report(key, "Pending")
        due = self._sim.clock.now() + self._sim.delay(seconds=_PENDING_SECONDS)
        heapq.heappush(self._queue, (due, key))

    def step(self) -> bool:
        now = self._sim.clock.now()
        moved = False
        while self._queue and self._queue[0][0] <= now:
            key = heapq.heappop(self._queue)[1]
            resource = self._sim.store.get(key)
            if resource is not None:
                suspended = bool(resource.properties.get("suspend"))
                self._report(key, "Suspended" if suspended else "Compliant")
                moved = True
        return moved

    def next_due(self) -> datetime | None:
        return self._queue[0][0] if self._queue else None

    def churn(self, count: int) -> list[str]:
        """Give ``count`` fleet configurations another state, in turn; return their ids.

        Nothing else makes a fleet change by itself, so a measurement says what it measures.
        """
        fleet = [
            resource
            for resource in self._sim.store.of_type(
                "microsoft.kubernetesconfiguration/fluxconfigurations"
            )
            if resource.private.get("agent") == "synthetic"
        ]
        changed = []
        for _ in range(min(count, len(fleet))):
            resource = fleet[self._turn % len(fleet)]
            self._turn += 1
            healthy = resource.properties["complianceState"] == "Compliant"
            self._report(resource.key, "Non-Compliant" if healthy else "Compliant")
            changed.append(resource.id)
        return changed

    def _report(self, key: str, state: str) -> None:
        resource = self._sim.store.get(key)
        if resource is None:
            return
        now = self._sim.clock.now()
        seen = observed(
            name=resource.name,
            properties=resource.properties,
            state=state,
            commit=commit_of(str(resource.properties.get("gitRepository"))),
            now=now,
        )
        self._sim.store.put(resource.with_properties(**seen))
