"""Ask for workload identity on a cluster, or for its end; both are changes that others review.

Nothing here calls Azure: credentials are judged by what a worker read a moment ago
(clusters/identity_readings.py), and the worker that writes compares once more. Raised as
ChangeRefused, and then nothing was altered: `no_issuer`, `not_read`, `too_many`,
`nothing_changed`, `no_accounts`, `invalid` (SettingsRefused), and what change_submit raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from access.models import User
from arm.identities import IDENTITY_API
from changes.errors import ChangeRefused
from changes.kinds import Step, Target, Wire
from changes.models import Change
from changes.services import change_submit
from clusters.extension_changes import (
    SettingsRefused,
    Update,
    locked_extension,
    update_step,
)
from clusters.extension_kind import install_step
from clusters.extension_settings.checks import refusals
from clusters.federated import (
    AUDIENCE,
    MOST,
    Credential,
    Need,
    credential_id,
    needs_of,
    of_cluster,
    too_many,
)
from clusters.federated_kind import NAME as KIND
from clusters.federated_kind import trust_digest
from clusters.flux_v1 import refuse_flux_v1
from clusters.models import Cluster, Extension, IdentityReading
from clusters.prerequisites.refusals import refuse_uninstallable

ENABLE = "workloadIdentity.enable"
CLIENT, TENANT = "workloadIdentity.azureClientId", "workloadIdentity.azureTenantId"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Who signs in as what. Without a reading no credential is written: somebody else does it."""

    client_id: str
    tenant_id: str
    reading: IdentityReading | None = None
    accounts: Sequence[str] = ()

    @property
    def settings(self) -> dict[str, str | None]:
        found: dict[str, str | None] = {ENABLE: "true", CLIENT: self.client_id}
        return found | ({TENANT: self.tenant_id} if self.tenant_id else {})


@transaction.atomic
def workload_identity_propose(
    *, author: User, cluster: Cluster, wanted: Wanted, reason: str
) -> Change:
    """Ask for a review of the missing credentials, then of the extension's settings."""
    if wanted.reading is not None and not wanted.accounts:
        raise ChangeRefused(_("Choose at least one service account."), code="no_accounts")
    steps = [*_credential_steps(cluster, wanted), *_extension_steps(cluster, wanted)]
    title = _("Workload identity for Flux on %(cluster)s") % {"cluster": cluster.name}
    return _submit(author, cluster, Change.Verb.UPDATE, title, reason, steps)


@transaction.atomic
def workload_identity_undo_propose(
    *,
    author: User,
    cluster: Cluster,
    reading: IdentityReading,
    names: Iterable[str],
    turn_off: bool,
    reason: str,
) -> Change:
    """Ask for a review of the end of it: the setting goes off first, then these credentials."""
    steps: list[Step] = []
    extension = Extension.objects.filter(cluster=cluster).first()
    if turn_off and extension is not None:
        off = update_step(locked_extension(extension), Update(settings={ENABLE: "false"}))
        steps += [off] if off is not None else []
    chosen = set(names)
    steps += [
        _step(reading, Change.Verb.DELETE, str(it["name"]), None, it)
        for it in of_cluster(cluster.oidc_issuer, reading.found.get("credentials") or [])
        if it["name"] in chosen
    ]
    title = _("End workload identity for Flux on %(cluster)s") % {"cluster": cluster.name}
    return _submit(author, cluster, Change.Verb.DELETE, title, reason, steps)


def needs_for(cluster: Cluster, reading: IdentityReading, accounts: Iterable[str]) -> list[Need]:
    """What each account has and lacks, by the last read of the identity."""
    credentials: list[Credential] = reading.found.get("credentials") or []
    return needs_of(cluster.name, cluster.oidc_issuer, accounts, credentials)


def _credential_steps(cluster: Cluster, wanted: Wanted) -> list[Step]:
    reading = wanted.reading
    if reading is None:
        return []
    if not cluster.oidc_issuer:
        raise ChangeRefused(
            _("The cluster has no OIDC issuer yet. Turn it on, then read it again."),
            code="no_issuer",
        )
    if reading.is_running or reading.problem or "credentials" not in reading.found:
        raise ChangeRefused(
            _("The identity has not been read. Wait for the reading, or read it again."),
            code="not_read",
        )
    needs = needs_for(cluster, reading, wanted.accounts)
    over = too_many(needs, reading.found["credentials"])
    if over:
        raise ChangeRefused(
            _("An identity has %(most)d federated credentials at most; this is %(over)d too many.")
            % {"most": MOST, "over": over},
            code="too_many",
        )
    return [_need_step(cluster, reading, need) for need in needs if need.state != "present"]


def _need_step(cluster: Cluster, reading: IdentityReading, need: Need) -> Step:
    verb = Change.Verb.CREATE if need.existing is None else Change.Verb.UPDATE
    body: Wire = {
        "properties": {
            "issuer": cluster.oidc_issuer,
            "subject": need.subject,
            "audiences": [AUDIENCE],
        }
    }
    return _step(reading, verb, need.name, body, need.existing)


def _step(
    reading: IdentityReading,
    verb: str,
    name: str,
    body: Wire | None,
    existing: Credential | None,
) -> Step:
    identity_id = str(reading.found["identity"]["id"])
    base = None
    if existing is not None:
        base = {key: existing[key] for key in ("issuer", "subject", "audiences")}
    return Step(
        kind=KIND,
        verb=verb,
        resource_id=credential_id(identity_id, name),
        resource_name=name,
        method="DELETE" if body is None else "PUT",
        api_version=IDENTITY_API,
        body=body,
        base={"properties": base} if base is not None else None,
        base_digest=trust_digest(base),
    )


def _extension_steps(cluster: Cluster, wanted: Wanted) -> list[Step]:
    """The settings on the extension that is there, or its install with them."""
    extension = Extension.objects.filter(cluster=cluster).first()
    if extension is not None:
        step = update_step(locked_extension(extension), Update(settings=wanted.settings))
        return [step] if step is not None else []
    refuse_flux_v1(cluster)
    refuse_uninstallable(cluster)
    problems = refusals(wanted.settings, current={}, version="", cluster_kind=cluster.kind)
    if problems:
        raise SettingsRefused(problems)
    settings = {key: value for key, value in wanted.settings.items() if value is not None}
    install = install_step(cluster, settings=settings)
    return [install] if install is not None else []


def _submit(
    author: User, cluster: Cluster, verb: str, title: str, reason: str, steps: Sequence[Step]
) -> Change:
    if not steps:
        raise ChangeRefused(
            _("All of it is so already. There is nothing to do."), code="nothing_changed"
        )
    target = Target(
        name=cluster.name,
        resource_id=steps[-1].resource_id,
        cluster_id=cluster.pk,
        configuration_id=None,
        environment_id=cluster.environment_id,
        steps=steps,
    )
    return change_submit(
        author=author, kind=KIND, verb=verb, title=title, reason=reason, targets=[target]
    )
