"""The guided page of workload identity: issuer, identity, credentials, and their end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from access.checks import person
from access.rights import Act
from arm import IdentityId, InvalidId
from changes.errors import ChangeRefused
from clusters import federated_guide as guide
from clusters.access_checks import cluster_for, extension_of
from clusters.extension_settings.checks import is_on
from clusters.federated import MOST, NAMESPACE, Credential, Need, accounts_for, of_cluster
from clusters.federated_changes import (
    CLIENT,
    ENABLE,
    Wanted,
    needs_for,
    workload_identity_propose,
    workload_identity_undo_propose,
)
from clusters.federated_forms import ChooseForm, EndForm, WorkloadIdentityForm, is_guid
from clusters.identity_readings import identity_reading_ask
from clusters.models import Cluster, IdentityReading
from live.pages import render_page


@dataclass
class Guide:
    """What the page knows of the cluster and of the identity that its address names."""

    cluster: Cluster
    named: str  # a lower-case ARM id, a client id, or ""

    @cached_property
    def readings(self) -> dict[str, IdentityReading]:
        keys = ["", self.named] if not self.is_client else [""]
        rows = IdentityReading.objects.filter(cluster=self.cluster, identity_id__in=keys)
        return {row.identity_id: row for row in rows}

    @property
    def listing(self) -> IdentityReading | None:
        return self.readings.get("")

    @property
    def is_client(self) -> bool:
        """Only a client id is known: the portal cannot read the identity."""
        return is_guid(self.named)

    @cached_property
    def reading(self) -> IdentityReading | None:
        return self.readings.get(self.named) if self.named else None

    @property
    def identity(self) -> dict[str, Any]:
        return (self.reading.found.get("identity") or {}) if self.reading else {}

    @property
    def credentials(self) -> list[Credential]:
        return list(self.reading.found.get("credentials") or []) if self.reading else []

    @property
    def own_credentials(self) -> list[Credential]:
        return of_cluster(self.cluster.oidc_issuer, self.credentials)

    @property
    def client_id(self) -> str:
        return self.named if self.is_client else str(self.identity.get("client_id") or "")

    @property
    def tenant_id(self) -> str:
        return str(self.identity.get("tenant_id") or self.cluster.connection.tenant_id)

    @cached_property
    def settings(self) -> dict[str, str]:
        found = extension_of(self.cluster)
        return dict(found.settings) if found is not None else {}

    @property
    def accounts(self) -> tuple[str, ...]:
        return accounts_for(self.settings)

    @cached_property
    def needs(self) -> list[Need]:
        reading = self.reading or IdentityReading(cluster=self.cluster)
        return needs_for(self.cluster, reading, self.accounts)

    @property
    def is_set(self) -> bool:
        """The extension signs in as this very identity already."""
        same = self.settings.get(CLIENT, "").lower() == self.client_id.lower()
        return is_on(self.settings, ENABLE) and same

    @property
    def commands(self) -> list[str]:
        found = extension_of(self.cluster)
        lines = guide.credential_commands(self.cluster, self.needs, self.identity)
        if not self.is_set:
            client = self.client_id or "CLIENT_ID"
            name = found.name if found is not None else ""
            lines.append(guide.extension_command(self.cluster, client, self.tenant_id, name))
        return lines


def _guide(request: HttpRequest, pk: int) -> Guide:
    cluster = cluster_for(person(request), pk, Act.PROPOSE)
    named = request.GET.get("identity", "").strip().lower()
    try:
        named = named if is_guid(named) else IdentityId.parse(named).key
    except InvalidId:
        named = ""
    return Guide(cluster, named)


@require_http_methods(["GET", "HEAD", "POST"])
def workload_identity(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Step by step; a POST asks for a review of the credentials and the settings."""
    found = _guide(request, pk)
    form = WorkloadIdentityForm(
        request.POST or None,
        writes_credentials=not found.is_client,
        initial={"accounts": found.accounts, "tenant_id": found.tenant_id},
    )
    if request.method == "POST" and form.is_valid():
        wanted = Wanted(
            client_id=found.client_id,
            tenant_id=form.cleaned_data.get("tenant_id") or found.tenant_id,
            reading=None if found.is_client else found.reading,
            accounts=form.cleaned_data.get("accounts") or (),
        )
        try:
            if not wanted.client_id:
                raise ChangeRefused(
                    _("Choose an identity, and wait until it has been read."), code="not_read"
                )
            change = workload_identity_propose(
                author=person(request),
                cluster=found.cluster,
                wanted=wanted,
                reason=form.cleaned_data["reason"],
            )
        except ChangeRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("It waits for a review by somebody else."))
            return redirect("changes:detail", change.pk)
    return _page(request, found, form=form)


@require_POST
def workload_identity_read(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Have a worker look: at what the connection sees, or at one identity; the page follows."""
    found = _guide(request, pk)
    if "identity" not in request.POST:
        identity_reading_ask(cluster=found.cluster)
        return redirect(_address(pk, found.named))
    form = ChooseForm(request.POST)
    if not form.is_valid():
        return _page(request, found, choose=form)
    named = str(form.cleaned_data["identity"])
    if is_guid(named) and found.listing is not None:
        listed = found.listing.found.get("identities") or []
        ids = [it["id"].lower() for it in listed if it["client_id"].lower() == named]
        named = ids[0] if ids else named
    if not is_guid(named):
        identity_reading_ask(cluster=found.cluster, identity_id=named)
    return redirect(_address(pk, named))


@require_POST
def workload_identity_end(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Ask for a review of the end of it."""
    found = _guide(request, pk)
    form = _end_form(found, request.POST)
    if form.is_valid() and found.reading is not None:
        try:
            change = workload_identity_undo_propose(
                author=person(request),
                cluster=found.cluster,
                reading=found.reading,
                names=form.cleaned_data["names"],
                turn_off=form.cleaned_data.get("turn_off", False),
                reason=form.cleaned_data["reason"],
            )
        except ChangeRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("It waits for a review by somebody else."))
            return redirect("changes:detail", change.pk)
    return _page(request, found, end=form)


def _end_form(found: Guide, data: Any = None) -> EndForm:
    return EndForm(data, credentials=found.own_credentials, is_on=found.is_set)


def _address(pk: int, named: str) -> str:
    query = f"?{urlencode({'identity': named})}" if named else ""
    return reverse("clusters:workload_identity", args=[pk]) + query


def _page(
    request: HttpRequest,
    found: Guide,
    *,
    form: WorkloadIdentityForm | None = None,
    choose: ChooseForm | None = None,
    end: EndForm | None = None,
) -> HttpResponseBase:
    def context() -> dict[str, Any]:
        return _context(found, form, choose, end)

    if request.method == "POST":
        return render(request, "clusters/workload_identity.html", context(), status=422)
    return render_page(
        request,
        "clusters/workload_identity.html",
        context,
        parts=("issuer", "identities", "credentials", "commands", "roles"),
        scopes=(f"cluster:{found.cluster.pk}",),
    )


def _context(
    found: Guide,
    form: WorkloadIdentityForm | None,
    choose: ChooseForm | None,
    end: EndForm | None,
) -> dict[str, Any]:
    form = form or WorkloadIdentityForm(
        writes_credentials=not found.is_client,
        initial={"accounts": found.accounts, "tenant_id": found.tenant_id},
    )
    return {
        "cluster": found.cluster,
        "cluster_scope": f"cluster:{found.cluster.pk}",
        "guide": found,
        "extension": extension_of(found.cluster),
        "enable_command": guide.enable_command(found.cluster),
        "is_arc": found.cluster.kind == Cluster.Kind.CONNECTED,
        "all_commands": "\n\n".join(found.commands),
        "hints": guide.role_hints(str(found.identity.get("principal_id") or "")),
        "most": MOST,
        "namespace": NAMESPACE,
        "form": form,
        "choose": choose or ChooseForm(),
        "end": end or _end_form(found),
        "here": _address(found.cluster.pk, found.named),
        "query": f"?{urlencode({'identity': found.named})}" if found.named else "",
    }
