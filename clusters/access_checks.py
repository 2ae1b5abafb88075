"""Fetch and authorise in one call: not visible is 404, visible but not allowed is 403."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from access.models import User
from access.rights import Act, rights_of
from clusters.models import Cluster, Extension


def cluster_for(user: User, pk: int, act: Act = Act.VIEW) -> Cluster:
    """The cluster with connection, environment and extension at hand."""
    rows: QuerySet[Cluster] = Cluster.objects.visible_to(user)
    related = ("connection", "environment", "extension")
    cluster = get_object_or_404(rows.select_related(*related), pk=pk)
    if not rights_of(user).may(act, cluster.environment_id):
        raise PermissionDenied
    return cluster


def extension_of(cluster: Cluster) -> Extension | None:
    """Its microsoft.flux instance, if one is known."""
    return getattr(cluster, "extension", None)
