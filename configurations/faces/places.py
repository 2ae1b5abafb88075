"""From rows to faces and their places. The only part of the faces that knows models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from pydantic import ValidationError

from clusters.faces import arm_endpoint_of
from clusters.models import Cluster
from configurations.faces import faces_context
from configurations.faces.cleaning import Found, cleaned
from configurations.faces.models import Place
from configurations.models import Configuration
from configurations.specification import Specification
from configurations.specification.wire import desired_part, spoken


def place_of(cluster: Cluster, configuration_name: str) -> Place:
    """The place of a configuration on this cluster; reads the cluster's connection."""
    connection = cluster.connection
    return Place(
        cluster_id=cluster.arm_id_display,
        cluster_kind=cluster.kind,
        resource_group=cluster.resource_group,
        cluster_name=cluster.name,
        configuration_name=configuration_name,
        api_version=connection.api_version,
        arm_endpoint=arm_endpoint_of(connection),
    )


def faces_of_configuration(configuration: Configuration, of: str, code: str) -> dict[str, Any]:
    """What templates/partials/_faces.html needs for its "desired" or "observed" specification."""
    properties = (configuration.desired if of == "desired" else configuration.observed) or {}
    specification = read_loosely(properties)
    address = reverse("configurations:face", args=[configuration.pk])
    return {
        **faces_context(specification, place_of(configuration.cluster, configuration.name), code),
        "file_url": f"{address}?of={of}&",
    }


def read_loosely(properties: Mapping[str, Any]) -> Specification:
    """The writable part of what Azure holds, without values whose type no rule of ours knows."""
    part = spoken(desired_part(properties))
    try:
        return Specification.from_wire(part)
    except ValidationError:
        return cleaned(Found("", part)).specification
