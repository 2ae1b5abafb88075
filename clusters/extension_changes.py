"""What people ask of an installed extension: other settings, another version, to be gone.

Each ends as a change that others review; nothing here calls Azure. Raised as ChangeRefused, and
then nothing was altered: `gone`, `moved`, `nothing_changed`, `invalid` (SettingsRefused),
`configurations_exist`, and what changes.services.change_submit raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from access.models import User
from changes.errors import ChangeRefused
from changes.kinds import Step, Target, Wire
from changes.models import Change
from changes.services import change_submit
from clusters.extension import NAME as EXTENSION_NAME
from clusters.extension_compare import COMPATIBLE, STABLE, base_of, live_digest, mode_of
from clusters.extension_kind import NAME as KIND
from clusters.extension_kind import install_step
from clusters.extension_settings.checks import refusals
from clusters.extension_settings.versions import STEP_FIRST, STEP_LAST, needs_step, newest, parse
from clusters.gateways import extension_api
from clusters.models import Cluster, Extension


class SettingsRefused(ChangeRefused):
    """`problems`: the key of a setting, or "version" or "release_train" → why, for people."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        key, reason = next(iter(problems.items()))
        super().__init__(f"{key}: {reason}", code="invalid")
        self.problems = dict(problems)


@dataclass(frozen=True, kw_only=True)
class Update:
    """What is asked for. None leaves train, upgrades and version as they are; a setting of None
    is taken away."""

    settings: Mapping[str, str | None] = field(default_factory=dict)
    auto_upgrade: bool | None = None
    release_train: str | None = None
    version: str | None = None  # to pin to; only without automatic upgrades
    mode: str | None = None  # "patch" or "compatible": what automatic upgrades bring


def seen_digest(extension: Extension) -> str:
    """What a form was filled in against."""
    return live_digest(base_of(extension))


@transaction.atomic
def extension_update_propose(
    *, author: User, extension: Extension, update: Update, seen: str, reason: str
) -> Change:
    """Ask for a review of other settings, another version, train or way of upgrading.

    `seen` is the seen_digest of what the author looked at: what moved meanwhile is not
    overwritten unseen.
    """
    extension = locked_extension(extension)
    cluster = extension.cluster
    if seen != seen_digest(extension):
        raise ChangeRefused(
            _("The extension was altered since the page was loaded. Nothing was sent: look again."),
            code="moved",
        )
    step = update_step(extension, update)
    if step is None:
        raise ChangeRefused(_("Nothing differs from what is set."), code="nothing_changed")
    return change_submit(
        author=author,
        kind=KIND,
        verb=Change.Verb.UPDATE,
        title=_("Update the Flux extension on %(cluster)s") % {"cluster": cluster.name},
        reason=reason,
        targets=[_target(cluster, step)],
    )


@transaction.atomic
def extension_delete_propose(
    *, author: User, extension: Extension, reason: str, force: bool = False
) -> Change:
    """Ask for a review of the uninstall. Refused while configurations are on the cluster: without
    the extension nobody would clean up after them, and the cluster ends unstable."""
    extension = locked_extension(extension)
    cluster = extension.cluster
    names = list(configurations_on(cluster).values_list("name", flat=True)[:5])
    if names:
        raise ChangeRefused(
            _("Configurations are on this cluster: %(names)s. Delete them first.")
            % {"names": ", ".join(names)},
            code="configurations_exist",
        )
    step = uninstall_step(extension, force=force)
    return change_submit(
        author=author,
        kind=KIND,
        verb=Change.Verb.DELETE,
        title=_("Delete the Flux extension from %(cluster)s") % {"cluster": cluster.name},
        reason=reason,
        targets=[_target(cluster, step)],
    )


def update_step(extension: Extension, update: Update) -> Step | None:
    """The write that brings what is asked for; None where it is so already. SettingsRefused."""
    problems = update_problems(extension, update)
    if problems:
        raise SettingsRefused(problems)
    properties = _patch(extension, update)
    if not properties:
        return None
    return _step(extension, Change.Verb.UPDATE, "PATCH", {"properties": properties})


def uninstall_step(extension: Extension, *, force: bool = False) -> Step:
    """The write that takes the extension away; by force Azure does not ask the cluster."""
    options: Wire = {"force": True} if force else {}
    return _step(extension, Change.Verb.DELETE, "DELETE", None, options)


def not_installed(cluster: Cluster) -> Extension:
    """What a form of an install is filled in against: nothing set, nothing held."""
    return Extension(cluster=cluster, name=EXTENSION_NAME, auto_upgrade=True, settings={})


def chosen_install_step(cluster: Cluster, update: Update) -> Step | None:
    """The write that installs Flux as chosen; None where an instance is there. SettingsRefused.

    Settings are judged by the version that is asked for; without one Azure takes its newest.
    """
    problems = update_problems(not_installed(cluster), update)
    if problems:
        raise SettingsRefused(problems)
    return install_step(
        cluster,
        settings={key: value for key, value in update.settings.items() if value is not None},
        release_train=update.release_train or "",
        version=(update.version or "") if update.auto_upgrade is False else "",
        mode=update.mode if update.mode != COMPATIBLE else None,
    )


def configurations_on(cluster: Cluster) -> Any:
    """The configurations that Azure shows on the cluster, by name."""
    return cluster.configurations.filter(gone_at=None).order_by("name")


def newest_version() -> str:
    """The newest version that this release or anything in the fleet knows of."""
    seen = Extension.objects.order_by().values_list("version", flat=True).distinct()
    return newest(seen)


def update_problems(extension: Extension, update: Update) -> dict[str, str]:
    """Why the update is refused, by the key of a setting, "version" or "release_train"."""
    problems = refusals(
        update.settings,
        current=extension.settings,
        version=extension.version or update.version or "",
        cluster_kind=extension.cluster.kind,
    )
    reason = _version_problem(extension, update)
    if reason:
        problems["version"] = reason
    if update.release_train is not None and not _is_word(update.release_train):
        problems["release_train"] = _("Use letters, digits and hyphens: Stable, Preview.")
    if update.mode not in {None, COMPATIBLE} and not has_modes(extension.cluster):
        problems["upgrades"] = _(
            "autoUpgradeMode needs version 2025-03-01 of the extensions interface; the connection "
            "speaks %(version)s."
        ) % {"version": extension_api(extension.cluster.connection)}
    return problems


def has_modes(cluster: Cluster) -> bool:
    """Whether the connection's interface knows autoUpgradeMode (azure-contract section 2)."""
    return extension_api(cluster.connection) >= "2025-03-01"


def _version_problem(extension: Extension, update: Update) -> str:
    """A version is pinned only without automatic upgrades (azure-contract 3.3)."""
    automatic = extension.auto_upgrade if update.auto_upgrade is None else update.auto_upgrade
    wanted = update.version or ""
    if automatic:
        wanted_now = newest_version() if update.auto_upgrade and not extension.auto_upgrade else ""
        if wanted:
            return _("To hold it to a version, turn automatic upgrades off.")
        return _step_problem(extension.version, wanted_now)
    if extension.auto_upgrade and not wanted:
        return _("Name the version to hold it to.")
    if wanted and parse(wanted) is None:
        return _("Write a version as 1.24.1.")
    return _step_problem(extension.version, wanted)


def _step_problem(installed: str, wanted: str) -> str:
    if not wanted or not needs_step(installed, wanted):
        return ""
    return _(
        "From %(installed)s the way leads through a version from %(first)s to %(last)s. Hold it to "
        "%(last)s first, and go on when that runs."
    ) % {"installed": installed, "first": STEP_FIRST, "last": STEP_LAST}


def _is_word(text: str) -> bool:
    return 0 < len(text) <= 40 and text.replace("-", "").isalnum() and text.isascii()


def _patch(extension: Extension, update: Update) -> Wire:
    """Only what differs from what is set."""
    properties: Wire = {}
    settings = {
        key: value for key, value in update.settings.items() if extension.settings.get(key) != value
    }
    if settings:
        properties["configurationSettings"] = settings
    if update.auto_upgrade is not None and update.auto_upgrade != extension.auto_upgrade:
        properties["autoUpgradeMinorVersion"] = update.auto_upgrade
    observed = extension.observed.get("properties") or {}
    automatic = update.auto_upgrade is not False
    if automatic and update.mode is not None and update.mode != mode_of(observed):
        properties["autoUpgradeMode"] = update.mode
    train = update.release_train
    if train is not None and train.lower() != (extension.release_train or STABLE).lower():
        properties["releaseTrain"] = train
    held = observed.get("version") or extension.version
    pins = properties.get("autoUpgradeMinorVersion") is False
    if update.version and (pins or update.version != held):
        properties["version"] = update.version
    return properties


def locked_extension(extension: Extension) -> Extension:
    """The row under lock, with its cluster; ChangeRefused (`gone`) where there is none."""
    rows = Extension.objects.select_for_update(of=("self",)).select_related("cluster__connection")
    found = rows.filter(pk=extension.pk).first()
    if found is None or found.cluster.gone_at is not None:
        raise ChangeRefused(_("The extension or its cluster is gone."), code="gone")
    return found


def _step(
    extension: Extension, verb: str, method: str, body: Wire | None, options: Wire | None = None
) -> Step:
    base = base_of(extension)
    return Step(
        kind=KIND,
        verb=verb,
        resource_id=extension.arm_id,
        resource_name=extension.name,
        method=method,
        api_version=extension_api(extension.cluster.connection),
        body=body,
        base=base,
        base_digest=live_digest(base),
        options=options or {},
    )


def _target(cluster: Cluster, step: Step) -> Target:
    return Target(
        name=cluster.name,
        resource_id=step.resource_id,
        cluster_id=cluster.pk,
        configuration_id=None,
        environment_id=cluster.environment_id,
        steps=(step,),
    )
