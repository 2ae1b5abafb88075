"""The prerequisites of one cluster, judged from rows alone: no call to Azure, two queries.

Rules: the tutorial's prerequisites and azure-contract 1.6, 4 and 5.1. What Resource Graph's rows
answer is taken from the cluster; the rest from `ScopeReading`s. What is old is unknown, never well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from arm.checks import CLUSTER_ACTIONS, FEDERATED_ACTIONS, REQUIRED_ACTIONS
from arm.providers import AKS, ARC, CONFIGURATION, REGISTERED
from clusters.access_checks import extension_of
from clusters.extension_settings.checks import is_on
from clusters.models import Cluster, Extension, ScopeReading
from clusters.prerequisites import commands

KEPT_FOR = timedelta(hours=48)  # so long Azure keeps a write, and its secrets, for silent agents
EXPIRES_SOON = timedelta(days=14)
OUT_OF_REACH = ("Offline", "Expired", "AgentNotInstalled")
PROVIDER_OF = {"managedClusters": AKS, "connectedClusters": ARC, "provisionedClusters": ARC}
MOVING = ("Registering", "Unregistering")


class State(StrEnum):
    """In the order of the page: what is worst first."""

    FAILED = "failed"
    WARNING = "warning"
    UNKNOWN = "unknown"
    OK = "ok"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, kw_only=True)
class Look:
    tone: str
    icon: str
    word: Any


LOOKS = {
    State.FAILED: Look(tone="bad", icon="circle-x-filled", word=gettext_lazy("failed")),
    State.WARNING: Look(tone="warn", icon="alert-triangle-filled", word=gettext_lazy("warning")),
    State.UNKNOWN: Look(tone="none", icon="help-circle", word=gettext_lazy("unknown")),
    State.OK: Look(tone="good", icon="circle-check-filled", word=gettext_lazy("ok")),
    State.NOT_APPLICABLE: Look(
        tone="none", icon="circle-minus", word=gettext_lazy("not applicable")
    ),
}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One prerequisite. `code` is a fixed word; `evidence` is what was read, `at` when."""

    code: str
    title: str
    state: State
    evidence: str = ""
    at: datetime | None = None
    remedy: str = ""
    command: str = ""
    # A provider that can be registered by a change: (connection, subscription, namespace).
    register: tuple[int, str, str] | None = None

    @property
    def look(self) -> Look:
        return LOOKS[self.state]


Readings = Mapping[tuple[int, str, str], ScopeReading]


def readings_for(clusters: Iterable[Cluster]) -> Readings:
    """The readings that these clusters rest on, by (connection, subscription, group). One query."""
    wanted = {
        (it.connection_id, it.subscription_id.lower(), it.resource_group.lower()) for it in clusters
    }
    if not wanted:
        return {}
    rows = ScopeReading.objects.filter(
        Q(resource_group="") | Q(resource_group__in={group for _pk, _id, group in wanted}),
        cluster=None,
        connection_id__in={pk for pk, _id, _group in wanted},
        subscription_id__in={subscription for _pk, subscription, _group in wanted},
    )
    return {(it.connection_id, it.subscription_id, it.resource_group): it for it in rows}


def checks_of(cluster: Cluster, readings: Readings | None = None) -> list[Check]:
    """Every prerequisite of the cluster, worst first."""
    known = readings_for([cluster]) if readings is None else readings
    found = [*_of_row(cluster), *_of_readings(cluster, known), _flux_v1(cluster)]
    order = list(State)
    return sorted(found, key=lambda check: order.index(check.state))


def failed_of(cluster: Cluster, readings: Readings | None = None) -> list[Check]:
    """Those that stand in the way of an apply, as far as is known."""
    return [it for it in checks_of(cluster, readings) if it.state == State.FAILED]


@dataclass(frozen=True)
class Summary:
    """One line: the worst state, and how many are in each that deserves a word."""

    look: Look
    text: str
    failed: Sequence[Check]


def summary_of(checks: Sequence[Check]) -> Summary:
    """What the cluster's own page says of its prerequisites."""
    held = [it for it in checks if it.state != State.NOT_APPLICABLE]
    worst = held[0].state if held else State.UNKNOWN
    by_state = {state: [it for it in held if it.state == state] for state in State}
    if worst == State.OK:
        text = _("All %(n)d are met") % {"n": len(held)}
    else:
        text = ", ".join(
            f"{len(rows)} {LOOKS[state].word}"
            for state, rows in by_state.items()
            if rows and state != State.OK
        )
    return Summary(LOOKS[worst], text, by_state[State.FAILED])


# --- What the rows of the fleet tell --------------------------------------------------------
def _of_row(cluster: Cluster) -> Iterator[Check]:
    found = [
        _identity(cluster),
        _running(cluster),
        _connected(cluster),
        _certificate(cluster),
        _extension(cluster, extension_of(cluster)),
    ]
    age = timezone.now() - cluster.observed_at
    is_old = age > timedelta(seconds=3 * settings.SYNC_SWEEP_SECONDS)
    for check in found:
        yield _aged(check) if is_old else check


def _aged(check: Check) -> Check:
    """What was well long ago may not be so now."""
    if check.state != State.OK:
        return check
    remedy = _("It was well when it was last read, which is too long ago. Check now.")
    return replace(check, state=State.UNKNOWN, remedy=remedy)


def _identity(cluster: Cluster) -> Check:
    title = _("The cluster uses a managed identity")
    if cluster.kind != Cluster.Kind.MANAGED:
        return _none("identity", title, _("Only AKS clusters can have a service principal."))
    read = _told(cluster, "identity.type", cluster.identity_kind)
    if cluster.identity_kind == "ServicePrincipal":
        read = _told(cluster, "servicePrincipalProfile.clientId", _("an application, not “msi”"))
        return Check(
            code="identity", title=title, state=State.FAILED, at=cluster.observed_at, evidence=read,
            remedy=_("It signs in with a service principal, and Azure refuses extensions there. "
                     "Give it a managed identity; its nodes restart on their next upgrade."),
            command=commands.enable_managed_identity(cluster),
        )  # fmt: skip
    state = State.OK if cluster.identity_kind else State.UNKNOWN
    return Check(code="identity", title=title, state=state, at=cluster.observed_at, evidence=read)


def _running(cluster: Cluster) -> Check:
    title = _("The cluster is running")
    if cluster.kind != Cluster.Kind.MANAGED:
        return _none("running", title, _("Azure knows the power state of AKS clusters only."))
    read = _told(cluster, "powerState.code", cluster.power_state)
    if cluster.power_state == "Stopped":
        return Check(
            code="running", title=title, state=State.FAILED, at=cluster.observed_at, evidence=read,
            remedy=_("Nothing installs or reconciles until it runs. Start it."),
            command=commands.start(cluster),
        )  # fmt: skip
    state = State.OK if cluster.power_state == "Running" else State.UNKNOWN
    return Check(code="running", title=title, state=state, at=cluster.observed_at, evidence=read)


def _connected(cluster: Cluster) -> Check:
    title = _("The Arc agents are connected")
    if cluster.kind == Cluster.Kind.MANAGED:
        return _none("connected", title, _("AKS needs no Arc agents."))
    seen, now = cluster.last_connectivity_at, timezone.now()
    read = _told(cluster, "connectivityStatus", cluster.connectivity)
    if seen is not None:
        read += f", lastConnectivityTime = {seen.isoformat(timespec='seconds')}"
    state, remedy = State.UNKNOWN, ""
    if cluster.connectivity == "Connected":
        state = State.OK
    elif cluster.connectivity == "Connecting":
        state = State.WARNING
        remedy = _("The agents are not up yet. Look at their pods.")
    elif cluster.connectivity in OUT_OF_REACH:
        state, remedy = State.FAILED, _silence(cluster, seen, now)
    command = commands.agents(cluster) if remedy else ""
    return Check(
        code="connected", title=title, state=state, at=cluster.observed_at, evidence=read,
        remedy=remedy, command=command,
    )  # fmt: skip


def _silence(cluster: Cluster, seen: datetime | None, now: datetime) -> str:
    """What silent agents cost, and when."""
    if cluster.connectivity == "Expired":
        return _(
            "The certificate of its identity ran out: the agents were away for too long. Delete "
            "the Arc resource and connect the cluster again."
        )
    left = deadline_of(cluster)
    if seen is None or left is None:
        return _("The agents do not report. Bring them back: look at their pods and the network.")
    if left <= now:
        return _(
            "The agents have been silent for more than 48 h: what was written before is not taken "
            "any more. Bring them back, then apply again and enter secrets again."
        )
    hours, minutes = divmod(int((left - now).total_seconds()) // 60, 60)
    return _(
        "The agents are silent. Azure keeps what is written, and its secrets, for %(hours)d h "
        "%(minutes)d min more; after that it has to be applied again. Bring the agents back."
    ) % {"hours": hours, "minutes": minutes}


def deadline_of(cluster: Cluster) -> datetime | None:
    """When pending writes and secrets are lost; None while the agents report."""
    if cluster.connectivity != "Offline" or cluster.last_connectivity_at is None:
        return None
    return cluster.last_connectivity_at + KEPT_FOR


def _certificate(cluster: Cluster) -> Check:
    title = _("The agents' certificate is valid")
    ends = cluster.certificate_expires_at
    if cluster.kind == Cluster.Kind.MANAGED:
        return _none("certificate", title, _("AKS needs no Arc agents."))
    name = "managedIdentityCertificateExpirationTime"
    read = _told(cluster, name, ends.isoformat(timespec="seconds") if ends else "")
    state, remedy = State.OK, ""
    if ends is None:
        state = State.UNKNOWN
    elif ends <= timezone.now():
        state = State.FAILED
        remedy = _("It ran out. Delete the Arc resource and connect the cluster again.")
    elif ends <= timezone.now() + EXPIRES_SOON:
        state = State.WARNING
        remedy = _("The agents renew it by themselves while they are connected. See that they are.")
    return Check(
        code="certificate", title=title, state=state, at=cluster.observed_at, evidence=read,
        remedy=remedy, command=commands.agents(cluster) if remedy else "",
    )  # fmt: skip


def _extension(cluster: Cluster, extension: Extension | None) -> Check:
    title = _("The Flux extension is well and supported")
    if extension is None:
        text = _("It is not installed. It comes with the first configuration, or on its own.")
        return _none("extension", title, text)
    state_word, version = extension.provisioning_state, extension.version
    read = f"{extension.name}: provisioningState = {state_word}, currentVersion = {version or '–'}"
    check = Check(
        code="extension", title=title, state=State.OK, at=extension.observed_at, evidence=read
    )
    if state_word in {"Failed", "Canceled"}:
        remedy = _("It is installed but failed: nothing is applied. Azure says: %(message)s") % {
            "message": extension.error_message or extension.error_code or _("nothing more")
        }
        command = commands.show_extension(cluster, extension)
        return replace(check, state=State.FAILED, remedy=remedy, command=command)
    if state_word != "Succeeded":
        return replace(check, state=State.WARNING, remedy=_("Azure is working on it. Wait."))
    return _supported(cluster, extension, check)


def _supported(cluster: Cluster, extension: Extension, check: Check) -> Check:
    from clusters.extension_support import support_of

    support = support_of(extension)
    read = _("%(read)s; newest known: %(newest)s (%(source)s)") % {
        "read": check.evidence,
        "newest": support.newest,
        "source": support.known.updated,
    }
    if support.supported is None:
        return replace(check, state=State.UNKNOWN, evidence=read)
    if support.supported:
        return replace(check, evidence=read)
    return replace(
        check,
        state=State.WARNING,
        evidence=read,
        remedy=" ".join(
            [_("Only the newest minor version and the two before are supported."), *support.advice]
        ),
        command=commands.upgrade_extension(cluster, extension, support.newest),
    )


# --- What was read of the subscription and the group ----------------------------------------
def _of_readings(cluster: Cluster, readings: Readings) -> Iterator[Check]:
    reading = readings.get((cluster.connection_id, cluster.subscription_id.lower(), ""))
    found = [
        *(_provider(cluster, reading, name) for name in needed_providers(cluster)),
        _region(cluster, reading),
        *_rights(cluster, _effective(cluster, readings)),
    ]
    for check in found:
        yield _aged(check) if is_old(check.at) else check


def is_old(at: datetime | None) -> bool:
    """Read longer ago than three times the usual pause."""
    pause = timedelta(seconds=3 * settings.PREREQUISITES_SECONDS)
    return at is not None and timezone.now() - at > pause


def refused_by(cluster: Cluster, readings: Readings) -> list[Check]:
    """What readings say that Azure would refuse there; no query."""
    whole = readings.get((cluster.connection_id, cluster.subscription_id.lower(), ""))
    found = [
        *(_provider(cluster, whole, name) for name in needed_providers(cluster)),
        _region(cluster, whole),
        rights_check(cluster, _effective(cluster, readings), REQUIRED_ACTIONS, ()),
    ]
    return [it for it in found if it.state == State.FAILED and not is_old(it.at)]


def needed_providers(cluster: Cluster) -> tuple[str, ...]:
    return (CONFIGURATION, PROVIDER_OF[cluster.kind])


def _provider(cluster: Cluster, reading: ScopeReading | None, namespace: str) -> Check:
    return provider_check(cluster.connection_id, cluster.subscription_id, reading, namespace)


def provider_check(
    connection_id: int, subscription_id: str, reading: ScopeReading | None, namespace: str
) -> Check:
    """Whether a provider is registered in a subscription; also for the connection's page."""
    check = Check(
        code=f"provider:{namespace}",
        title=_("%(provider)s is registered") % {"provider": namespace},
        state=State.UNKNOWN,
        at=reading.read_at if reading else None,
    )
    found = _part(reading, "providers", namespace)
    scope = f"/subscriptions/{subscription_id}/providers/{namespace}"
    state = str(found.get("state") or "")
    if not state:
        return _unread(check, reading, found, scope)
    check = replace(check, evidence=f"GET {scope}: registrationState = {state}")
    if state == REGISTERED:
        return replace(check, state=State.OK)
    if state == "Registering":
        text = _("The registration is under way; it takes up to 10 minutes. This page follows.")
        return replace(check, state=State.WARNING, remedy=text)
    return replace(
        check,
        state=State.FAILED,
        remedy=_("Azure refuses what is installed or configured there. Register the provider."),
        command=commands.register(subscription_id, namespace),
        register=(connection_id, subscription_id, namespace),
    )


def _region(cluster: Cluster, reading: ScopeReading | None) -> Check:
    check = Check(
        code="region",
        title=_("Flux is offered in the cluster's region"),
        state=State.UNKNOWN,
        at=reading.read_at if reading else None,
    )
    found = _part(reading, "providers", CONFIGURATION)
    scope = f"/subscriptions/{cluster.subscription_id}/providers/{CONFIGURATION}"
    offered = regions_in(found)
    if not offered:
        return _unread(check, reading, found, scope)
    where = _("%(region)s is in the locations of extensions and fluxConfigurations")
    if cluster.region in offered:
        return replace(
            check, state=State.OK, evidence=f"GET {scope}: {where % {'region': cluster.region}}"
        )
    listed = ", ".join(sorted(offered))
    where = _("%(region)s is not in the locations: %(listed)s")
    return replace(
        check,
        state=State.FAILED,
        evidence=f"GET {scope}: {where % {'region': cluster.region, 'listed': listed}}",
        remedy=_("Azure refuses the extension in this region. Use a cluster in another one."),
        command=commands.show_regions(cluster),
    )


def regions_in(provider: Mapping[str, Any]) -> set[str]:
    """Where both types of the configuration provider are offered; empty where nobody says."""
    locations = provider.get("locations") or {}
    kinds = [set(locations.get(name) or ()) for name in ("extensions", "fluxconfigurations")]
    told = [it for it in kinds if it]
    return set.intersection(*told) if told else set()


def _effective(cluster: Cluster, readings: Readings) -> ScopeReading | None:
    """Rights add up downwards: the group is asked only where the subscription's do not do."""
    place = cluster.connection_id, cluster.subscription_id.lower()
    whole = readings.get((*place, ""))
    group = readings.get((*place, cluster.resource_group.lower()))
    if whole is not None and whole.may_write:
        return whole
    return group if group is not None and group.read_at is not None else None


def _rights(cluster: Cluster, reading: ScopeReading | None) -> Iterator[Check]:
    kinds = CLUSTER_ACTIONS.get(cluster.kind, ())
    yield rights_check(cluster, reading, REQUIRED_ACTIONS, kinds)
    title = _("The portal may write federated credentials")
    extension = extension_of(cluster)
    if extension is None or not is_on(extension.settings, "workloadIdentity.enable"):
        yield _none("federated", title, _("Workload identity is not used here."))
        return
    check = rights_check(cluster, reading, (), FEDERATED_ACTIONS)
    yield replace(check, code="federated", title=title)


def rights_check(
    cluster: Cluster,
    reading: ScopeReading | None,
    must: Sequence[str],
    should: Sequence[str],
) -> Check:
    """Whether the portal's identity may what it does there; without `must` Azure answers 403."""
    check = Check(
        code="rights",
        title=_("The portal may write what it has to"),
        state=State.UNKNOWN,
        at=reading.read_at if reading else None,
    )
    found = (reading.found.get("rights") or {}) if reading else {}
    if reading is None or "missing" not in found:
        return _unread(check, reading, found, "…/providers/Microsoft.Authorization/permissions")
    lacking = [it for it in (*must, *should) if it in found["missing"]]
    where = f"GET {reading.scope}/providers/Microsoft.Authorization/permissions"
    if not lacking:
        text = _("all %(n)d actions are granted") % {"n": len(must) + len(should)}
        return replace(check, state=State.OK, evidence=f"{where}: {text}")
    text = _("missing: %(actions)s") % {"actions": ", ".join(lacking)}
    refused = any(it in must for it in lacking)
    return replace(
        check,
        state=State.FAILED if refused else State.WARNING,
        evidence=f"{where}: {text}",
        remedy=_(
            "Azure answers AuthorizationFailed to what is missing. Give the portal's identity a "
            "role with these actions at this scope; it may take some minutes to hold."
        ),
        command=commands.grant(cluster.connection, reading.scope, (*must, *should)),
    )


def _part(reading: ScopeReading | None, *names: str) -> Mapping[str, Any]:
    found: Any = reading.found if reading else {}
    for name in names:
        found = found.get(name) or {}
    return found if isinstance(found, Mapping) else {}


def _unread(
    check: Check, reading: ScopeReading | None, found: Mapping[str, Any], scope: str
) -> Check:
    """Nothing is known: say why."""
    if found.get("code"):
        text = f"GET {scope}: {found['code']}: {found.get('message', '')}"
        return replace(check, evidence=text, remedy=_("Give the portal's identity Reader there."))
    if reading is not None and reading.problem:
        text = f"{reading.problem_code}: {reading.problem_message}"
        return replace(check, evidence=text, remedy=_("It could not be read. Check now."))
    return replace(check, evidence=_("Not read yet."), remedy=_("Check now, or wait some minutes."))


# --- Others ---------------------------------------------------------------------------------
def _flux_v1(cluster: Cluster) -> Check:
    """Names of Flux v1 configurations, where a worker looked for them (clusters/flux_v1.py)."""
    title = _("No Flux v1 is on the cluster")
    looked, names = cluster.flux_v1_at, [str(it) for it in cluster.flux_v1]
    if looked is None:
        text = _("sourceControlConfigurations were not looked for yet.")
        return Check(code="flux_v1", title=title, state=State.UNKNOWN, evidence=text)
    if not names:
        text = _("sourceControlConfigurations: none")
        return Check(code="flux_v1", title=title, state=State.OK, at=looked, evidence=text)
    return Check(
        code="flux_v1",
        title=title,
        state=State.FAILED,
        at=looked,
        evidence=f"sourceControlConfigurations: {', '.join(names)}",
        remedy=_("Azure installs no microsoft.flux beside Flux v1. Migrate, then delete these."),
        command=commands.delete_flux_v1(cluster, names),
    )


def _none(code: str, title: str, why: str) -> Check:
    return Check(code=code, title=title, state=State.NOT_APPLICABLE, evidence=why)


def _told(cluster: Cluster, name: str, value: str) -> str:
    """What was read, and by which way."""
    ways = {
        "graph": _("by Resource Graph"), "list": _("by the list of clusters"),
        "get": _("by a GET of the cluster"),
    }  # fmt: skip
    way = ways.get(cluster.observed_via, cluster.observed_via)
    return f"{name} = {value or _('not reported')} ({way})"
