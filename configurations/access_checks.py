"""Fetch and authorise in one call: 404 for what is not visible, 403 for what is not allowed."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from access.models import User
from access.rights import Act, rights_of
from changes.access_checks import user_of
from changes.models import Change
from clusters.models import Cluster
from configurations.models import Configuration, Draft


def configuration_for(request: HttpRequest, pk: int, act: Act = Act.VIEW) -> Configuration:
    """A configuration (also a gone one), with its cluster and environment."""
    user = user_of(request)
    configuration: Configuration = get_object_or_404(
        Configuration.objects.visible_to(user).select_related(
            "cluster__environment", "cluster__connection"
        ),
        pk=pk,
    )
    _allow(user, act, configuration.cluster.environment_id)
    return configuration


def cluster_for(request: HttpRequest, pk: int) -> Cluster:
    """A cluster on which this person may propose changes."""
    user = user_of(request)
    clusters = Cluster.objects.visible_to(user).filter(gone_at=None)
    cluster: Cluster = get_object_or_404(clusters.select_related("connection"), pk=pk)
    _allow(user, Act.PROPOSE, cluster.environment_id)
    return cluster


def draft_for(request: HttpRequest, pk: int) -> Draft:
    """One's own open draft, for a cluster where one may still propose."""
    user = user_of(request)
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


def change_for(request: HttpRequest, pk: int) -> Change:
    """One's own change, to revise it."""
    user = user_of(request)
    change: Change = get_object_or_404(Change.objects.visible_to(user), pk=pk)
    if change.author_id != user.pk:
        raise PermissionDenied
    return change


def _allow(user: User, act: Act, environment_id: int | None) -> None:
    if not rights_of(user).may(act, environment_id):
        raise PermissionDenied
