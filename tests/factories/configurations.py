"""Configurations, their objects and drafts for tests, with bodies as ARM sends them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import factory
from django.utils import timezone

from clusters.models import Cluster
from configurations.models import Configuration, Draft, ObjectStatus
from configurations.reading import columns
from configurations.specification.wire import live_digest
from configurations.wizard.compose import EMPTY

COMMIT = "4f1bdad4d0a54b939a5e3d52c51464f67e474fcf"
TUTORIAL_URL = "https://github.com/Azure/gitops-flux2-kustomize-helm-mt"

TUTORIAL: dict[str, Any] = {
    "scope": "cluster",
    "namespace": "cluster-config",
    "sourceKind": "GitRepository",
    "suspend": False,
    "gitRepository": {
        "url": TUTORIAL_URL,
        "timeoutInSeconds": 600,
        "syncIntervalInSeconds": 600,
        "repositoryRef": {"branch": "main", "tag": None, "semver": None, "commit": None},
        "localAuthRef": None,
    },
    "kustomizations": {
        "infra": {
            "name": "infra",
            "path": "./infrastructure",
            "dependsOn": [],
            "timeoutInSeconds": 600,
            "syncIntervalInSeconds": 600,
            "retryIntervalInSeconds": None,
            "prune": True,
            "force": False,
            "wait": True,
        },
        "apps": {
            "name": "apps",
            "path": "./apps/staging",
            "dependsOn": ["infra"],
            "timeoutInSeconds": 600,
            "syncIntervalInSeconds": 600,
            "retryIntervalInSeconds": None,
            "prune": True,
            "force": False,
            "wait": True,
        },
    },
    "complianceState": "Compliant",
    "provisioningState": "Succeeded",
    "errorMessage": "",
    "repositoryPublicKey": "",
    "sourceSyncedCommitId": f"main@sha1:{COMMIT}",
    "sourceUpdatedAt": "2026-11-23T09:40:00Z",
    "statusUpdatedAt": "2026-11-23T09:41:00Z",
}


def status(
    kind: str,
    name: str,
    compliance: str = "Compliant",
    *,
    message: str = "",
    reason: str = "ReconciliationSucceeded",
    by: str | None = None,
) -> dict[str, Any]:
    """One entry of `statuses`; `by` names the Kustomization that applied it."""
    ready = {"Compliant": "True", "Non-Compliant": "False"}.get(compliance, "Unknown")
    return {
        "name": name,
        "namespace": "cluster-config",
        "kind": kind,
        "complianceState": compliance,
        "appliedBy": {"name": by, "namespace": "cluster-config"} if by else None,
        "helmReleaseProperties": None,
        "statusConditions": [
            {
                "type": "Ready",
                "status": ready,
                "reason": reason,
                "message": message or f"Applied revision: main@sha1:{COMMIT}",
                "lastTransitionTime": "2026-11-23T09:41:00Z",
            }
        ],
    }


def healthy_statuses() -> list[dict[str, Any]]:
    """The tutorial's objects, all well."""
    infra, apps = "cluster-config-infra", "cluster-config-apps"
    return [
        status("GitRepository", "cluster-config", reason="Succeeded"),
        status("Kustomization", infra),
        status("HelmRelease", "nginx", by=infra, reason="InstallSucceeded"),
        status("HelmRelease", "redis", by=infra, reason="InstallSucceeded"),
        status("Kustomization", apps),
        status("HelmRelease", "podinfo", by=apps, reason="InstallSucceeded"),
    ]


def failing_statuses() -> list[dict[str, Any]]:
    """nginx cannot be installed, so infra's health check fails, and apps waits for infra."""
    infra, apps = "cluster-config-infra", "cluster-config-apps"
    return [
        status("GitRepository", "cluster-config", reason="Succeeded"),
        status(
            "Kustomization", infra, "Non-Compliant", reason="HealthCheckFailed",
            message="health check failed after 10m0s: timeout waiting for: "
            "[HelmRelease/cluster-config/nginx status: 'Failed']",
        ),
        status(
            "HelmRelease", "nginx", "Non-Compliant", by=infra, reason="InstallFailed",
            message="Helm install failed for release nginx/nginx with chart nginx@1.0.0: "
            "context deadline exceeded",
        ),
        status(
            "Kustomization", apps, "Non-Compliant", reason="DependencyNotReady",
            message=f"dependency 'cluster-config/{infra}' is not ready",
        ),
    ]  # fmt: skip


def resource(
    arm_id: str, *, statuses: list[dict[str, Any]] | None = None, **changes: Any
) -> dict[str, Any]:
    """A fluxConfigurations resource as a GET brings it; `changes` to the tutorial's properties."""
    properties = {**deepcopy(TUTORIAL), **changes}
    properties["statuses"] = healthy_statuses() if statuses is None else statuses
    return {
        "id": arm_id,
        "name": arm_id.rsplit("/", 1)[-1],
        "type": "Microsoft.KubernetesConfiguration/fluxConfigurations",
        "systemData": {"lastModifiedBy": "somebody@example.org", "lastModifiedByType": "User"},
        "properties": properties,
    }


class ConfigurationFactory(factory.django.DjangoModelFactory):
    """The tutorial's configuration, observed a moment ago; `properties` alters what ARM said."""

    class Meta:
        model = Configuration

    name = factory.Sequence(lambda n: f"configuration-{n}")

    @classmethod
    def _create(cls, model_class: type[Configuration], *args: Any, **kwargs: Any) -> Configuration:
        properties = {**deepcopy(TUTORIAL), **(kwargs.pop("properties", None) or {})}
        cluster: Cluster = kwargs["cluster"]
        infix = "/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/"
        display = f"{cluster.arm_id_display}{infix}{kwargs['name']}"
        now = timezone.now()
        values = {
            "arm_id": display.lower(),
            "arm_id_display": display,
            **columns(properties),
            "observed": properties,
            "observed_digest": live_digest(properties),
            "observed_at": now,
            "observed_via": "get",
            "read_at": now,
            "compliance_since": now,
            **kwargs,
        }
        created: Configuration = model_class.objects.create(**values)
        return created


class ObjectStatusFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ObjectStatus

    position = factory.Sequence(lambda n: n)
    kind = "Kustomization"
    namespace = "cluster-config"
    name = factory.Sequence(lambda n: f"object-{n}")
    compliance = "Compliant"


class DraftFactory(factory.django.DjangoModelFactory):
    """An empty draft of a new configuration."""

    class Meta:
        model = Draft

    purpose = Draft.Purpose.CREATE
    data = factory.LazyFunction(lambda: deepcopy(EMPTY))
