"""Fetch and authorise in one call: 404 for what is not visible, 403 for what is not allowed."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404

from access.models import User
from access.rights import Act, rights_of
from changes.models import Change
from clusters.models import Cluster
from configurations.models import Configuration, Draft


def configuration_for(user: User, pk: int, act: Act = Act.VIEW) -> Configuration:
    """A configuration (also a gone one), with its cluster and environment."""
    configuration: Configuration = get_object_or_404(
        Configuration.objects.visible_to(user).select_related(
            "cluster__environment", "cluster__connection"
        ),
        pk=pk,
    )
    _allow(user, act, configuration.cluster.environment_id)
    return configuration


def cluster_for(user: User, pk: int) -> Cluster:
    """A cluster on which this person may propose changes."""
    clusters = Cluster.objects.visible_to(user).filter(gone_at=None)
    cluster: Cluster = get_object_or_404(clusters.select_related("connection"), pk=pk)
    _allow(user, Act.PROPOSE, cluster.environment_id)
    return cluster


def draft_for(user: User, pk: int) -> Draft:
    """One's own open draft, for a cluster where one may still propose."""
    drafts = Draft.objects.filter(author=user, submitted_change_id=None)
    draft = get_object_or_404(
        drafts.select_related(
            "cluster__environment", "cluster__connection", "configuration__cluster"
        ),
        pk=pk,
    )
    if draft.cluster is not None:
        _allow(user, Act.PROPOSE, draft.cluster.environment_id)
    return draft


def change_for(user: User, pk: int) -> Change:
    """One's own change, to revise it."""
    change: Change = get_object_or_404(Change.objects.visible_to(user), pk=pk)
    if change.author_id != user.pk:
        raise PermissionDenied
    return change


def _allow(user: User, act: Act, environment_id: int | None) -> None:
    if not rights_of(user).may(act, environment_id):
        raise PermissionDenied
