"""Chart, version and failures of Helm releases, from what Azure and Flux say."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from configurations.models import Configuration, ObjectStatus
from configurations.releases import Release, release_of

FACTS: dict[str, Any] = {
    "lastRevisionApplied": 2,
    "helmChartRef": {"name": "cluster-config-redis", "namespace": "cluster-config"},
    "failureCount": 3,
    "installFailureCount": 1,
    "upgradeFailureCount": 2,
}


@pytest.mark.parametrize(
    ("kind", "message", "helm", "wanted"),
    [
        (
            "HelmRelease",
            "Helm upgrade succeeded for release redis/redis.v2 with chart redis@11.3.4",
            FACTS,
            Release("redis", "11.3.4", 2, 3, 1, 2),
        ),
        (
            "HelmRelease",
            "Helm install failed for release redis/redis with chart redis@11.3.4: no such thing",
            {**FACTS, "lastRevisionApplied": 0},
            Release("redis", "11.3.4", 0, 3, 1, 2),
        ),
        (
            "HelmRelease",
            "HelmChart 'cluster-config/cluster-config-redis' is not ready",
            FACTS,
            Release("cluster-config-redis", "", 2, 3, 1, 2),
        ),
        ("HelmRelease", "Reconciliation in progress", None, Release("", "", 0, 0, 0, 0)),
        (
            "HelmChart",
            "pulled 'redis' chart with version '11.3.4'",
            None,
            Release("redis", "11.3.4", 0, 0, 0, 0),
        ),
        ("Kustomization", "Applied revision: main@sha1:0", None, None),
    ],
)
def test_what_is_known_of_a_release(
    kind: str, message: str, helm: dict[str, Any] | None, wanted: Release | None
) -> None:
    assert release_of(ObjectStatus(kind=kind, message=message, helm=helm)) == wanted


@pytest.mark.django_db
def test_the_page_shows_chart_version_and_failures(
    configuration: Configuration, admin: Any, client_of: Any
) -> None:
    ObjectStatus.objects.create(
        configuration=configuration,
        position=90,
        kind="HelmRelease",
        namespace="cluster-config",
        name="redis",
        compliance="Non-Compliant",
        message="Helm upgrade failed for release redis/redis with chart redis@11.3.4: timed out",
        helm=FACTS,
    )
    url = reverse("configurations:detail", args=[configuration.pk])
    page = client_of(admin).get(url).content.decode()
    assert "redis 11.3.4 · release 2" in page
    assert "3 failures" in page
    assert "install 1, upgrade 2" in page
