"""Fetch a change and check the right to it, in one call."""

from __future__ import annotations

from typing import cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from access.models import User
from access.rights import Act
from changes.four_eyes import environments_of, may_in_all, rights_now
from changes.models import Change, Operation


def user_of(request: HttpRequest) -> User:
    """Whoever is signed in; views are not reached otherwise."""
    return cast(User, request.user)


def change_for(request: HttpRequest, pk: int, *acts: Act) -> Change:
    """The change, if the reader sees it (else 404) and may do one of `acts` to it (else 403)."""
    user = user_of(request)
    visible = Change.objects.visible_to(user).select_related("author")
    change: Change = get_object_or_404(visible, pk=pk)
    if acts:
        rights, environment_ids = rights_now(user.pk), environments_of(change)
        if not any(may_in_all(rights, act, environment_ids) for act in acts):
            raise PermissionDenied
    return change


def operation_for(request: HttpRequest, pk: int, *acts: Act) -> Operation:
    """The operation, by the rights to its change."""
    operation = get_object_or_404(Operation, pk=pk)
    change_for(request, operation.change_id, *acts)
    return operation
