"""Steps of this app's kinds as commands: `az` lines and the REST call.

Words of the command line: `az k8s-extension`, `az provider register`, `az identity
federated-credential` as their current versions take them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from arm import ClusterId
from arm.clouds import CHINA, PUBLIC, US_GOVERNMENT
from changes.faces import Face, file_stem, json_text, masked
from changes.kinds import Step, Target
from clusters.federated import identity_of
from clusters.models import Cluster, Connection

_ENDPOINTS = {
    Connection.Cloud.CHINA.value: CHINA.arm_endpoint,
    Connection.Cloud.US_GOVERNMENT.value: US_GOVERNMENT.arm_endpoint,
}
_END = "JSON"  # no line of indented JSON can be this word


def arm_endpoint_of(connection: Connection) -> str:
    """The origin of the connection's Azure Resource Manager, without a trailing slash."""
    endpoint = _ENDPOINTS.get(connection.cloud, PUBLIC.arm_endpoint)
    if connection.cloud == Connection.Cloud.CUSTOM:
        endpoint = connection.arm_endpoint
    return endpoint.rstrip("/")


def cluster_of(target: Target) -> Cluster | None:
    """The target's cluster with its connection; None where it is no longer known."""
    rows = Cluster.objects.select_related("connection").filter(pk=target.cluster_id or 0)
    found: Cluster | None = rows.first()
    return found


# --- REST -----------------------------------------------------------------------------------
def rest_face(step: Step, endpoint: str, *, notes: Sequence[str] = ()) -> Face:
    """The request of a step with az rest and with curl, body and query as they are sent."""
    return call_face(
        method=step.method,
        url=f"{endpoint}{step.resource_id}{_path_end(step)}?{_query(step)}",
        body=masked(step.body) if step.body else None,
        file_stem=file_stem(step.resource_name),
        endpoint=endpoint,
        notes=notes,
    )


def call_face(
    *,
    method: str,
    url: str,
    body: Any,
    file_stem: str,
    endpoint: str,
    notes: Sequence[str] = (),
) -> Face:
    """Any request to Azure Resource Manager; `body` None: there is none."""
    file_name = f"{file_stem}.body.json"
    file, where = shlex.quote(file_name), shlex.quote(url)
    written, az, curl = "", "", ""
    if body is not None:
        data = shlex.quote(f"@{file_name}")
        written = f"cat > {file} <<'{_END}'\n{json_text(body)}\n{_END}\n\n"
        az = f" \\\n  --body {data}"
        curl = f" \\\n  --header 'Content-Type: application/json' \\\n  --data-binary {data}"
    text = (
        f"{written}az rest --method {method.lower()} \\\n  --url {where}{az}\n\n"
        f"# {_('The same with curl')}\n"
        f"curl --fail-with-body --request {method} \\\n  --url {where} \\\n"
        f'  --header "Authorization: Bearer $(az account get-access-token'
        f' --resource {shlex.quote(endpoint)} --query accessToken --output tsv)"{curl}\n'
    )
    return Face(
        code="rest",
        label=_("REST"),
        language="shell",
        text=text,
        file_name=f"{file_stem}-{method.lower()}.sh",
        notes=tuple(notes),
    )


def _path_end(step: Step) -> str:
    return "/register" if step.method == "POST" else ""


def _query(step: Step) -> str:
    forced = "&forceDelete=true" if step.options.get("force") else ""
    return f"api-version={step.api_version}{forced}"


# --- az -------------------------------------------------------------------------------------
def command(*lines: str) -> str:
    """One command, an option a line."""
    return " \\\n  ".join(it for it in lines if it) + "\n"


def option(name: str, value: str) -> str:
    """An option with its value in one argument where the value could pass for an option."""
    if value.startswith("-"):
        return shlex.quote(f"{name}={value}" if name.startswith("--") else f"{name}{value}")
    return f"{name} {shlex.quote(value)}"


def az_face(step: Step, text: str, notes: Sequence[str] = ()) -> Face:
    stem = f"{file_stem(step.resource_name)}-{step.verb}"
    return Face("az", _("az"), "shell", text, f"{stem}.sh", tuple(notes))


def where(cluster_id: str, kind: str) -> list[str]:
    """The options that name a cluster."""
    cluster = ClusterId.parse(cluster_id)
    lines = [
        option("--subscription", cluster.subscription_id),
        option("-g", cluster.resource_group),
        option("-c", cluster.name),
        option("-t", kind),
    ]
    if kind == Cluster.Kind.PROVISIONED:
        lines.append("--cluster-resource-provider Microsoft.HybridContainerService")
    return lines


def extension_faces(step: Step, cluster: Cluster) -> list[Face]:
    """az k8s-extension create, update or delete; and the request."""
    place = [*where(cluster.arm_id_display, cluster.kind), option("-n", step.resource_name)]
    properties = (step.body or {}).get("properties") or {}
    notes: list[str] = []
    match step.method:
        case "PUT":
            text = command("az k8s-extension create", *place, *_extension(properties, new=True))
        case "PATCH":
            notes = list(_unsayable(properties))
            text = command(
                "az k8s-extension update", *place, *_extension(properties, new=False), "--yes"
            )
        case _:
            force = "--force" if step.options.get("force") else ""
            text = command("az k8s-extension delete", *place, force, "--yes")
    return [
        az_face(step, "" if notes else text, notes),
        rest_face(step, arm_endpoint_of(cluster.connection)),
    ]


def _extension(properties: Mapping[str, Any], *, new: bool) -> Iterator[str]:
    if new:
        yield option("--extension-type", str(properties.get("extensionType", "")))
        scope = properties.get("scope") or {}
        for level in ("cluster", "namespace"):
            if level in scope:
                yield f"--scope {level}"
        namespace = (scope.get("cluster") or {}).get("releaseNamespace")
        if namespace:
            yield option("--release-namespace", str(namespace))
    if "autoUpgradeMinorVersion" in properties:
        upgrades = "true" if properties["autoUpgradeMinorVersion"] else "false"
        yield f"--auto-upgrade-minor-version {upgrades}"
    for field, name in (("releaseTrain", "--release-train"), ("version", "--version")):
        if properties.get(field):
            yield option(name, str(properties[field]))
    for field, name in (
        ("configurationSettings", "--configuration-settings"),
        ("configurationProtectedSettings", "--configuration-protected-settings"),
    ):
        pairs = masked(properties.get(field) or {})
        if pairs:
            given = " ".join(shlex.quote(f"{key}={value}") for key, value in pairs.items())
            yield f"{name} {given}"


def _unsayable(properties: Mapping[str, Any]) -> Iterator[str]:
    """az leaves out what is null, which would take a value away."""
    settings = properties.get("configurationSettings") or {}
    names = [key for part in (properties, settings) for key, it in part.items() if it is None]
    if names:
        yield _("az cannot take a value away (%(names)s): use the REST call.") % {
            "names": ", ".join(names)
        }


def provider_faces(step: Step, connection: Connection) -> list[Face]:
    """az provider register, and the request."""
    text = command(
        "az provider register",
        option("--subscription", str(step.options["subscription_id"])),
        option("--namespace", step.resource_name),
    )
    return [az_face(step, text), rest_face(step, arm_endpoint_of(connection))]


def credential_faces(step: Step, cluster: Cluster) -> list[Face]:
    """az identity federated-credential create or delete, and the request."""
    identity = identity_of(step)
    place = [
        option("--subscription", identity.subscription_id),
        option("-g", identity.resource_group),
        option("--identity-name", identity.name),
        option("-n", step.resource_name),
    ]
    if step.body is None:
        text = command("az identity federated-credential delete", *place, "--yes")
    else:
        trust = step.body["properties"]
        audiences = " ".join(shlex.quote(str(it)) for it in trust["audiences"])
        text = command(
            "az identity federated-credential create",
            *place,
            option("--issuer", str(trust["issuer"])),
            option("--subject", str(trust["subject"])),
            f"--audiences {audiences}",
        )
    return [az_face(step, text), rest_face(step, arm_endpoint_of(cluster.connection))]
