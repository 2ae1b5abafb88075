"""Pages on which admins keep connections to Azure. No view here calls Azure: workers do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access.checks import person, requires_everywhere
from access.rights import Act
from arm.checks import REQUIRED_PROVIDERS
from changes.errors import ChangeRefused
from changes.models import Change
from clusters import connections as service
from clusters.forms import ConnectionForm, ReasonForm, RemoveForm
from clusters.models import Connection
from clusters.problems import next_step
from clusters.provider_kind import register_propose
from clusters.sync import sync_soon
from clusters.testing import connection_test_ask, findings
from live.pages import render_page
from live.services import bump

_administers = requires_everywhere(Act.ADMINISTER)


@require_safe
@_administers
def connections(request: HttpRequest) -> HttpResponseBase:
    """All connections, with what is wrong with each."""

    def context() -> dict[str, Any]:
        rows = list(Connection.objects.select_related("secret_set_by"))
        return {"rows": [(row, next_step(row.problem)) for row in rows]}

    return render_page(
        request,
        "clusters/connections.html",
        context,
        parts=("connections",),
        scopes=("connections",),
    )


@require_safe
@_administers
def connection(request: HttpRequest, pk: int) -> HttpResponseBase:
    """One connection: its facts, its last test check by check, how it is read."""
    found = get_object_or_404(Connection.objects.select_related("secret_set_by"), pk=pk)

    def context() -> dict[str, Any]:
        checks = findings(found)
        return {
            "connection": found,
            "findings": checks,
            "failed": sum(not it.ok for it in checks),
            "todo": next_step(found.problem),
            "clusters": found.clusters.filter(gone_at=None).count(),
            "shards": found.shards.count(),
        }

    return render_page(
        request,
        "clusters/connection.html",
        context,
        parts=("test", "reading"),
        scopes=("connections", "clusters"),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("secret")
@_administers
def connection_add(request: HttpRequest) -> HttpResponseBase:
    """A new connection; its first test begins at once."""
    form = ConnectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        by = person(request)
        made = service.connection_create(
            by=by, values=form.values(), secret=form.cleaned_data["secret"]
        )
        connection_test_ask(by=by, connection=made)
        messages.success(request, _("Connection %(name)s is added.") % {"name": made})
        return redirect("clusters:connection", made.pk)
    return _form(request, form)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("secret")
@_administers
def connection_edit(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Other facts, or a new secret; an empty secret keeps the one that is set."""
    found = get_object_or_404(Connection, pk=pk)
    name = found.name  # the form writes into the instance
    form = ConnectionForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        by, secret = person(request), form.cleaned_data["secret"]
        if service.connection_change(by=by, connection=found, values=form.values(), secret=secret):
            connection_test_ask(by=by, connection=found)
            messages.success(request, _("Connection %(name)s is saved.") % {"name": found.name})
        else:
            messages.info(request, _("Nothing was changed."))
        return redirect("clusters:connection", pk)
    return _form(request, form, name=name, pk=pk, from_environment=found.from_environment)


def _form(request: HttpRequest, form: ConnectionForm, **context: Any) -> HttpResponseBase:
    status = 422 if form.is_bound else 200
    context |= {"form": form}
    return render(request, "clusters/connection_form.html", context, status=status)


@require_POST
@_administers
def connection_test(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Ask for a test; the page follows it."""
    found = get_object_or_404(Connection, pk=pk)
    connection_test_ask(by=person(request), connection=found)
    return redirect("clusters:connection", pk)


@require_POST
@_administers
def connection_sync(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Have the fleet read anew, at the next tick."""
    found = get_object_or_404(Connection, pk=pk)
    sync_soon(found.pk, sweep=True)
    bump("connections")
    messages.info(request, _("The fleet is being read anew."))
    return redirect("clusters:connection", pk)


@require_POST
@_administers
def connection_switch(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Stop using it, or begin again."""
    found = get_object_or_404(Connection, pk=pk)
    enabled = request.POST.get("enabled") == "1"
    service.connection_switch(by=person(request), connection=found, enabled=enabled)
    words = _("%(name)s is read again.") if enabled else _("%(name)s is disabled.")
    messages.success(request, words % {"name": found})
    return redirect("clusters:connection", pk)


@require_http_methods(["GET", "HEAD", "POST"])
@_administers
def connection_remove(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Forget it with all that was seen through it, after its name was typed."""
    found = get_object_or_404(Connection, pk=pk)
    form = RemoveForm(request.POST or None, connection=found)
    if request.method == "POST" and form.is_valid():
        service.connection_remove(by=person(request), connection=found)
        messages.success(
            request, _("Connection %(name)s is removed. Azure was not touched.") % {"name": found}
        )
        return redirect("clusters:connections")
    ids = found.clusters.values("pk")
    open_states = ("in_review", "approved", "scheduled", "applying")
    context = {
        "connection": found,
        "form": form,
        "clusters": found.clusters.filter(gone_at=None).count(),
        "changes": Change.objects.filter(state__in=open_states, targets__cluster_id__in=ids)
        .distinct()
        .count(),
    }
    return render(request, "clusters/connection_remove.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@_administers
def provider_register(
    request: HttpRequest, pk: int, subscription_id: UUID, namespace: str
) -> HttpResponseBase:
    """Ask for a review of a resource provider's registration."""
    found = get_object_or_404(Connection, pk=pk)
    known = {it.lower(): it for it in REQUIRED_PROVIDERS}
    name = known.get(namespace.lower())
    if name is None:
        return redirect("clusters:connection", pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            change = register_propose(
                author=person(request),
                connection=found,
                subscription_id=str(subscription_id),
                namespace=name,
                reason=form.cleaned_data["reason"],
            )
        except ChangeRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The registration waits for a review by somebody else."))
            return redirect("changes:detail", change.pk)
    context = {
        "connection": found,
        "form": form,
        "namespace": name,
        "subscription_id": subscription_id,
    }
    return render(request, "clusters/register.html", context)
