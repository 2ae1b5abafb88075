"""From a cluster's row to the place of a face. The only part of the faces that knows models."""

from __future__ import annotations

from arm.clouds import CHINA, PUBLIC, US_GOVERNMENT
from clusters.models import Cluster, Connection
from configurations.faces.models import Place

_ENDPOINTS = {
    Connection.Cloud.CHINA.value: CHINA.arm_endpoint,
    Connection.Cloud.US_GOVERNMENT.value: US_GOVERNMENT.arm_endpoint,
}


def place_of(cluster: Cluster, configuration_name: str) -> Place:
    """The place of a configuration on this cluster; reads the cluster's connection."""
    connection = cluster.connection
    endpoint = _ENDPOINTS.get(connection.cloud, PUBLIC.arm_endpoint)
    if connection.cloud == Connection.Cloud.CUSTOM:
        endpoint = connection.arm_endpoint
    return Place(
        cluster_id=cluster.arm_id_display,
        cluster_kind=cluster.kind,
        resource_group=cluster.resource_group,
        cluster_name=cluster.name,
        configuration_name=configuration_name,
        api_version=connection.api_version,
        arm_endpoint=endpoint.rstrip("/"),
    )
