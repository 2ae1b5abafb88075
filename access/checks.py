"""Ask for a right at the start of a view: raises PermissionDenied, which is answered with 403."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from access.models import User
from access.rights import Act, rights_of

View = Callable[..., HttpResponseBase]


def person(request: HttpRequest) -> User:
    """Who asks; LoginRequiredMiddleware has seen to it that somebody does."""
    return cast(User, request.user)


def require(user: User, act: Act, environment_id: int | None) -> None:
    """`user` may do `act` in this environment; None: outside of any, so by a role everywhere."""
    if not rights_of(user).may(act, environment_id):
        raise PermissionDenied


def require_anywhere(user: User, act: Act) -> None:
    """`user` may do `act` in one environment at least."""
    if not rights_of(user).may_anywhere(act):
        raise PermissionDenied


def require_everywhere(user: User, act: Act) -> None:
    """`user` may do `act` in every environment, by a role everywhere."""
    if rights_of(user).scope(act) is not None:
        raise PermissionDenied


def requires_anywhere(act: Act) -> Callable[[View], View]:
    """View decorator: only for people who may do `act` in one environment at least."""
    return _asking(lambda user: require_anywhere(user, act))


def requires_everywhere(act: Act) -> Callable[[View], View]:
    """View decorator: only for people who may do `act` in every environment."""
    return _asking(lambda user: require_everywhere(user, act))


def _asking(ask: Callable[[User], None]) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            ask(person(request))
            return view(request, *args, **kwargs)

        return asked

    return decorate
