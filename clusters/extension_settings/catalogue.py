"""Every setting of microsoft.flux that is documented, one entry each.

`default` is what Azure (or Flux) takes where nothing is set; "" where there is none or none is
documented. `since` is the first version of the extension that knows the setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from django.db import models
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from clusters.extension_settings.values import (
    SWITCH,
    Choice,
    Cpu,
    Duration,
    Memory,
    Pattern,
    Value,
    Whole,
)
from clusters.models import Cluster

Text = str | Promise
AKS, ARC = Cluster.Kind.MANAGED.value, Cluster.Kind.CONNECTED.value
ALL_KINDS = frozenset(kind.value for kind in Cluster.Kind)


class Group(models.TextChoices):
    """Headings of the form, in its order."""

    CONTROLLERS = "controllers", _("Controllers")
    TENANCY = "tenancy", _("Tenancy and identity")
    KUSTOMIZE = "kustomize", _("Kustomize controller")
    HELM = "helm", _("Helm controller")
    NETWORK = "network", _("Network and SSH")
    LOGS = "logs", _("Log levels")
    RESOURCES = "resources", _("Memory and CPU")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One key of configurationSettings. `section` groups fields under a heading."""

    key: str
    group: Group
    label: Text
    text: Text
    value: Value
    default: str = ""
    since: str = ""  # "": from the first version on
    since_on: Mapping[str, str] = field(default_factory=dict)  # where a kind of cluster came later
    kinds: frozenset[str] = ALL_KINDS
    section: str = ""

    def since_for(self, cluster_kind: str) -> str:
        return self.since_on.get(cluster_kind, self.since)


# Controller, what it does, whether it runs unless told otherwise, its default CPU request.
CONTROLLERS: Mapping[str, tuple[Text, bool, str]] = {
    "source-controller": (
        _("Fetches Git repositories, buckets, Helm charts and OCI artifacts."),
        True,
        "50m",
    ),
    "kustomize-controller": (_("Builds kustomizations and applies them."), True, "100m"),
    "helm-controller": (_("Installs and upgrades Helm releases."), True, "100m"),
    "notification-controller": (_("Sends alerts and takes webhooks."), True, "100m"),
    "image-automation-controller": (
        _("Writes new container images back to the Git repository."),
        False,
        "100m",
    ),
    "image-reflector-controller": (
        _("Looks for new container images in registries."),
        False,
        "100m",
    ),
}
AGENTS = ("fluxconfig-agent", "fluxconfig-controller")
_SCALING = "1.12.0"
_GUID = Pattern(
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    _("Write an id as 00000000-0000-0000-0000-000000000000."),
)
_HOST_KEYS = Pattern(
    r"--ssh-hostkey-algos=[a-z0-9@.-]+(,[a-z0-9@.-]+)*",
    _("Write it as --ssh-hostkey-algos=rsa-sha2-512,rsa-sha2-256."),
)
_MANAGERS = Pattern(
    r"[A-Za-z0-9][\w./-]*(,[A-Za-z0-9][\w./-]*)*", _("Write names, separated by commas.")
)


def _enabled() -> Iterator[Setting]:
    for name, (does, runs, _cpu) in CONTROLLERS.items():
        yield Setting(
            key=f"{name}.enabled",
            group=Group.CONTROLLERS,
            label=name,
            text=does,
            value=SWITCH,
            default="true" if runs else "false",
        )


def _tenancy() -> Iterator[Setting]:
    identity = {"since": "1.8.0", "since_on": {ARC: "1.15.1"}, "kinds": frozenset({AKS, ARC})}
    yield Setting(
        key="multiTenancy.enforce",
        group=Group.TENANCY,
        label=_("Enforce multi-tenancy"),
        text=_("Objects of a configuration refer to its own namespace only."),
        value=SWITCH,
        default="true",
        since="1.0.0",
    )
    yield Setting(
        key="useKubeletIdentity",
        group=Group.TENANCY,
        label=_("Use the kubelet identity"),
        text=_("Sources sign in to Azure with the identity of the nodes."),
        value=SWITCH,
        default="false",
        kinds=frozenset({AKS}),
    )
    yield Setting(
        key="workloadIdentity.enable",
        group=Group.TENANCY,
        label=_("Workload identity"),
        text=_("Controllers sign in to Azure with a federated credential."),
        value=SWITCH,
        default="false",
        **identity,  # type: ignore[arg-type]
    )
    yield Setting(
        key="workloadIdentity.azureClientId",
        group=Group.TENANCY,
        label=_("Client id of the managed identity"),
        text=_("The identity that workload identity signs in as."),
        value=_GUID,
        **identity,  # type: ignore[arg-type]
    )
    yield Setting(
        key="workloadIdentity.azureTenantId",
        group=Group.TENANCY,
        label=_("Tenant id of the managed identity"),
        text=_("The tenant of that identity."),
        value=_GUID,
        **identity,  # type: ignore[arg-type]
    )


def _kustomize() -> Iterator[Setting]:
    yield Setting(
        key="kustomize-controller.concurrent",
        group=Group.KUSTOMIZE,
        label=_("Concurrent reconciliations"),
        text=_("How many kustomizations are built and applied at once."),
        value=Whole(1, 100),
        default="4",
        since=_SCALING,
    )
    yield Setting(
        key="kustomize-controller.requeue-dependency",
        group=Group.KUSTOMIZE,
        label=_("Wait for a dependency"),
        text=_("After how long a kustomization asks again whether what it depends on is ready."),
        value=Duration("1s", "1h"),
        default="30s",
        since=_SCALING,
    )
    yield Setting(
        key="kustomize-controller.enable-in-memory-build",
        group=Group.KUSTOMIZE,
        label=_("Build in memory"),
        text=_("Builds without the disk of the pod: faster, and it takes more memory."),
        value=SWITCH,
        default="false",
        since=_SCALING,
    )
    yield Setting(
        key="kustomize-controller.strict-substitution-mode",
        group=Group.KUSTOMIZE,
        label=_("Strict substitution"),
        text=_("A variable without value or default fails the build instead of being left empty."),
        value=SWITCH,
        default="false",
    )
    yield Setting(
        key="kustomize-controller.override-manager",
        group=Group.KUSTOMIZE,
        label=_("Override field managers"),
        text=_("Field managers whose edits of applied objects are taken back, beside kubectl."),
        value=_MANAGERS,
        since="1.24.0",
    )


def _helm() -> Iterator[Setting]:
    yield Setting(
        key="helm-controller.detectDrift",
        group=Group.HELM,
        label=_("Detect drift"),
        text=_("Finds and corrects what was altered on the cluster past a Helm release."),
        value=SWITCH,
        default="false",
        since="1.7.5",
    )
    yield Setting(
        key="helm-controller.outOfMemoryWatch.enabled",
        group=Group.HELM,
        label=_("Watch for lack of memory"),
        text=_("Ends upgrades in order before the controller runs out of memory."),
        value=SWITCH,
        default="false",
        since="1.7.5",
    )
    yield Setting(
        key="helm-controller.outOfMemoryWatch.memoryThreshold",
        group=Group.HELM,
        label=_("Memory threshold (percent)"),
        text=_("The share of the memory limit at which the watch acts."),
        value=Whole(1, 100),
        default="95",
        since="1.7.5",
    )
    yield Setting(
        key="helm-controller.outOfMemoryWatch.interval",
        group=Group.HELM,
        label=_("Interval of the watch"),
        text=_("How often memory is looked at."),
        value=Duration("50ms", "1m"),
        default="500ms",
        since="1.7.5",
    )


def _network() -> Iterator[Setting]:
    yield Setting(
        key="setKubeServiceHostFqdn",
        group=Group.NETWORK,
        label=_("Reach the API server by its name"),
        text=_("Annotates the pods, so that a firewall which filters by names lets them pass."),
        value=SWITCH,
        default="false",
        since="1.11.1",
    )
    for name in ("source-controller", "image-automation-controller"):
        yield Setting(
            key=f"{name}.ssh-host-key-args",
            group=Group.NETWORK,
            label=format_lazy(_("SSH host keys of {name}"), name=name),
            text=_("Algorithms that are accepted. Azure DevOps no longer takes ssh-rsa."),
            value=_HOST_KEYS,
        )


def _logs() -> Iterator[Setting]:
    for name in CONTROLLERS:
        yield Setting(
            key=f"{name}.log-level",
            group=Group.LOGS,
            label=name,
            text=_("How much it writes to its log."),
            value=Choice(("debug", "info", "error")),
            default="info",
            since="1.8.3",
        )
    for name in AGENTS:
        yield Setting(
            key=f"{name}.log-level",
            group=Group.LOGS,
            label=name,
            text=_("How much it writes to its log; this one knows no debug."),
            value=Choice(("info", "error")),
            default="info",
            since="1.9.1",
        )


def _resources() -> Iterator[Setting]:
    for name, (_does, _runs, cpu) in CONTROLLERS.items():
        # The tutorial names the memory of source-controller without a first version, and
        # vertical scaling of controllers from 1.12.0 on.
        memory_since = "" if name == "source-controller" else _SCALING
        limit, request = _("The most it may take."), _("What is set aside for it.")
        for resource, part, label, text, value, default, since in (
            ("memory", "limits", _("Memory limit"), limit, Memory(), "1Gi", memory_since),
            ("memory", "requests", _("Memory request"), request, Memory(), "64Mi", memory_since),
            ("cpu", "limits", _("CPU limit"), limit, Cpu(), "1000m", _SCALING),
            ("cpu", "requests", _("CPU request"), request, Cpu(), cpu, _SCALING),
        ):
            yield Setting(
                key=f"{name}.resources.{part}.{resource}",
                group=Group.RESOURCES,
                label=label,
                text=text,
                value=value,
                default=default,
                since=since,
                section=name,
            )


CATALOGUE: tuple[Setting, ...] = (
    *_enabled(),
    *_tenancy(),
    *_kustomize(),
    *_helm(),
    *_network(),
    *_logs(),
    *_resources(),
)
_BY_KEY = {setting.key: setting for setting in CATALOGUE}


def setting_of(key: str) -> Setting | None:
    """The catalogue's entry; None for a key that is not known, which is kept as text."""
    return _BY_KEY.get(key)
