"""From what somebody wants to the targets of a change: pure but for the extension's step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arm import ClusterId
from changes.kinds import Step, Target
from changes.models import Change
from clusters.extension_changes import Update, chosen_install_step
from clusters.extension_kind import install_step
from clusters.flux_v1 import refuse_flux_v1
from clusters.models import Cluster
from clusters.prerequisites.refusals import refuse_uninstallable
from configurations.models import Configuration
from configurations.secrets import marks_in, with_known_secrets
from configurations.specification.sources import lacks_secret
from configurations.specification.wire import desired_part, live_digest, merge_patch, spoken

KIND = "flux_configuration"


def arm_id_for(cluster: Cluster, name: str) -> str:
    """The lower-case ARM id of a configuration of this name; arm.InvalidId for a bad name."""
    return ClusterId.parse(cluster.arm_id).configuration(name).key


def create_target(
    cluster: Cluster, name: str, properties: Mapping[str, Any], install: Update | None = None
) -> Target:
    """Make a configuration; where the extension is missing it is installed first.

    `install`: how, where somebody chose that; raises SettingsRefused, and ChangeRefused where
    Flux v1 is on the cluster.
    """
    refuse_flux_v1(cluster)
    step = Step(
        kind=KIND,
        verb=Change.Verb.CREATE,
        resource_id=arm_id_for(cluster, name),
        resource_name=name,
        method="PUT",
        api_version=cluster.connection.api_version,
        body={"properties": dict(properties)},
        base=None,
        base_digest="",
    )
    before = chosen_install_step(cluster, install) if install else install_step(cluster)
    if before is not None:
        refuse_uninstallable(cluster)
    return _target(cluster, step, None, before=[before] if before is not None else [])


def update_target(configuration: Configuration, properties: Mapping[str, Any], verb: str) -> Target:
    """Give a configuration other properties.

    One that the portal made is replaced with the full body, all of its secrets included. One that
    was made elsewhere may have secrets that we do not know and a PUT would wipe: it is patched,
    until a change brings every secret that its source needs.
    """
    base, wanted = spoken(desired_part(configuration.observed)), spoken(properties)
    if configuration.adopted and not _is_known_whole(base, wanted):
        method, body = "PATCH", merge_patch(base, wanted)
    else:
        method, body = "PUT", wanted
    before = with_known_secrets(base, configuration.desired)
    return _target(
        configuration.cluster,
        _step(configuration, before, verb, method, {"properties": body}),
        configuration,
    )


def suspend_target(configuration: Configuration, *, suspend: bool) -> Target:
    """Stop or resume the reconciliation, everything else as it is."""
    known = with_known_secrets(desired_part(configuration.observed), configuration.desired)
    properties = {**known, "suspend": suspend}
    verb = Change.Verb.SUSPEND if suspend else Change.Verb.RESUME
    return update_target(configuration, properties, verb)


def _is_known_whole(base: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether the body has all that the source needs, and nothing unknown can be left to keep."""
    if lacks_secret(wanted):
        return False
    return any(marks_in(wanted)) or lacks_secret(base)


def delete_target(configuration: Configuration, *, force: bool = False) -> Target:
    """Delete the configuration; with prune its objects go too, but not by force."""
    return _target(configuration.cluster, delete_step(configuration, force=force), configuration)


def delete_step(configuration: Configuration, *, force: bool = False) -> Step:
    base = spoken(desired_part(configuration.observed))
    options = {"force": True} if force else {}
    return _step(configuration, base, Change.Verb.DELETE, "DELETE", None, options)


def _step(
    configuration: Configuration,
    base: dict[str, Any],
    verb: str,
    method: str,
    body: dict[str, Any] | None,
    options: dict[str, Any] | None = None,
) -> Step:
    return Step(
        kind=KIND,
        verb=verb,
        resource_id=configuration.arm_id,
        resource_name=configuration.name,
        method=method,
        api_version=configuration.cluster.connection.api_version,
        body=body,
        base={"properties": base},
        base_digest=live_digest(configuration.observed),
        options=options or {},
    )


def _target(
    cluster: Cluster,
    step: Step,
    configuration: Configuration | None,
    before: Sequence[Step] = (),
) -> Target:
    return Target(
        name=cluster.name,
        resource_id=step.resource_id,
        cluster_id=cluster.pk,
        configuration_id=configuration.pk if configuration else None,
        environment_id=cluster.environment_id,
        steps=(*before, step),
    )
