"""Sign in, sign out, one's own password."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import PasswordChangeForm
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh
from django_htmx.middleware import HtmxDetails

from access import services
from access.checks import person
from access.forms import SignInForm
from access.models import User
from access.signin import forgive
from audit.context import current
from audit.services import record


@login_not_required
@never_cache
@csrf_protect
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """A local account; the session gets a new key, so that one planted before is worth nothing."""
    if request.user.is_authenticated:
        return redirect(_next(request))
    if HtmxDetails(request):  # a part of a page whose session has ended
        return HttpResponseClientRefresh()
    form = SignInForm(request, data=request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if form.is_valid():
            _enter(request, form)
            return redirect(_next(request))
        if form.checked:
            _record_failure(form.cleaned_data["username"])
    context = {"form": form, "next": _wanted(request)}
    response = render(request, "access/sign_in.html", context)
    if form.wait_seconds:
        response.status_code = 429
        response["Retry-After"] = str(form.wait_seconds)
    return response


@require_POST
def sign_out(request: HttpRequest) -> HttpResponseBase:
    """End this session."""
    with transaction.atomic():
        user = person(request)
        record(
            action="signout",
            actor=user,
            object_type="person",
            object_id=user.pk,
            object_name=str(user),
        )
        logout(request)
    return redirect("access:sign_in")


@sensitive_post_parameters()
@never_cache
def password(request: HttpRequest) -> HttpResponseBase:
    """One's own new password; this session stays, every other one ends."""
    user = person(request)
    form = PasswordChangeForm(user, data=request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        services.password_change(person=user, password=form.cleaned_data["new_password1"])
        update_session_auth_hash(request, user)
        messages.success(request, _("Your password is changed. Your other sessions have ended."))
        return redirect("access:profile")
    return render(request, "access/password.html", {"form": form})


@require_safe
def profile(request: HttpRequest) -> HttpResponseBase:
    """Who one is here, and which roles one holds."""
    assignments = person(request).assignments.select_related("environment")
    return render(request, "access/profile.html", {"assignments": assignments})


def _enter(request: HttpRequest, form: SignInForm) -> None:
    user = form.get_user()
    assert isinstance(user, User)  # noqa: S101 - for the type; the only backend gives nothing else
    with transaction.atomic():
        forgive(form.cleaned_data["username"], current.get().address)
        login(request, user)
        record(
            action="signin.succeeded",
            actor=user,
            object_type="person",
            object_id=user.pk,
            object_name=str(user),
        )


def _record_failure(username: str) -> None:
    """Name the account only if there is one: people type passwords into the wrong field."""
    account = User.objects.filter(username=username).first()
    with transaction.atomic():
        record(
            action="signin.failed",
            actor=None,
            object_type="person",
            object_id=account.pk if account else "",
            object_name=str(account) if account else _("an unknown account"),
        )


def _next(request: HttpRequest) -> str:
    """Where the person wanted to go, if that is a page of this portal."""
    wanted = _wanted(request)
    if url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return wanted
    return resolve_url("home")


def _wanted(request: HttpRequest) -> str:
    """What the address or the form says; also kept through a failed attempt."""
    return request.POST.get("next") or request.GET.get("next") or ""
