"""What a cluster's agents must reach: a table for a firewall team, and a Job that tries it.

Sources: the tutorial's network requirements and azure-contract 8. Regions are those of the
clusters, hosts those of their configurations' sources.
"""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from clusters.gateways import ConnectionBroken, cloud_of
from clusters.models import Cluster, Connection

HTTPS, SSH = 443, 22
JOB = "fluxgate-endpoints"
JOB_FILE = f"{JOB}.yaml"
_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>[^/:@]+):(?!//)")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.ASCII)
_PORTS = {"ssh": SSH, "http": 80, "https": HTTPS, "oci": HTTPS}


@dataclass(frozen=True)
class Endpoint:
    """TCP, outbound. A host with `*` is for the firewall and cannot be tried."""

    host: str
    port: int
    purpose: str

    @property
    def can_be_tried(self) -> bool:
        return "*" not in self.host


def endpoints_of(
    connection: Connection, regions: Iterable[str], sources: Iterable[str]
) -> list[Endpoint]:
    """Of the connection's cloud, these regions and the addresses of these sources."""
    found = [
        *_of_cloud(connection),
        *_of_regions(connection, sorted(set(regions) - {""})),
        *_of_images(connection),
        *_of_sources(sources),
    ]
    return list({(it.host, it.port): it for it in reversed(found)}.values())[::-1]


def of_cluster(cluster: Cluster) -> list[Endpoint]:
    """What this cluster has to reach. One query."""
    rows = cluster.configurations.filter(gone_at=None)
    urls = rows.order_by("source_url").values_list("source_url", flat=True).distinct()
    return endpoints_of(cluster.connection, [cluster.region], urls)


def of_connection(connection: Connection) -> list[Endpoint]:
    """What all clusters of a connection have to reach. Two queries."""
    clusters = connection.clusters.filter(gone_at=None).order_by()
    regions = clusters.values_list("region", flat=True).distinct()
    rows = clusters.filter(configurations__gone_at=None, configurations__isnull=False)
    urls = rows.order_by("configurations__source_url")
    sources = urls.values_list("configurations__source_url", flat=True).distinct()
    return endpoints_of(connection, regions, sources)


def unknown_of(connection: Connection) -> str:
    """What the table lacks, for people; "" where it is whole."""
    try:
        cloud = cloud_of(connection)
    except ConnectionBroken as error:
        return str(error)
    if cloud.data_plane_suffix:
        return ""
    return _(
        "This is a custom cloud: its operator knows the host of the configuration service's data "
        "plane in each region. It is not in the table."
    )


def _of_cloud(connection: Connection) -> list[Endpoint]:
    try:
        cloud = cloud_of(connection)
    except ConnectionBroken:
        return []
    found = [
        _endpoint(cloud.arm_endpoint, _("Azure Resource Manager, for the agents")),
        _endpoint(cloud.authority, _("sign-in: tokens for Azure Resource Manager")),
    ]
    if connection.cloud == Connection.Cloud.CHINA:
        partner = "https://login.partner.microsoftonline.cn"
        found.append(_endpoint(partner, _("sign-in: tokens for Azure Resource Manager")))
    return [it for it in found if it is not None]


def _of_regions(connection: Connection, regions: Sequence[str]) -> list[Endpoint]:
    try:
        cloud = cloud_of(connection)
    except ConnectionBroken:
        return []
    if not cloud.data_plane_suffix:
        return []
    purpose = _("the configuration service: agents fetch configurations and report")
    return [Endpoint(cloud.data_plane_host(region), HTTPS, purpose) for region in regions]


def _of_images(connection: Connection) -> list[Endpoint]:
    found = [
        Endpoint("mcr.microsoft.com", HTTPS, _("images of Flux and of the agents")),
        Endpoint("*.data.mcr.microsoft.com", HTTPS, _("the layers of these images")),
    ]
    if connection.cloud == Connection.Cloud.CHINA:
        mirror = _("mirror of images in China, where the cluster pulls from it")
        hosts = ("mcr.azk8s.cn", "quay.azk8s.cn", "dockerhub.azk8s.cn")
        found += [Endpoint(host, HTTPS, mirror) for host in hosts]
    return found


def _of_sources(urls: Iterable[str]) -> list[Endpoint]:
    found = (_endpoint(url, _("source of configurations")) for url in urls)
    known = [it for it in found if it is not None]
    return sorted(known, key=lambda it: (it.host, it.port))


def _endpoint(url: str, purpose: str) -> Endpoint | None:
    """Host and port of an address as Git, OCI or a browser writes it; None for none."""
    text = url.strip()
    if "://" not in text:
        match = _SCP.match(text)
        return _checked(match["host"], SSH, purpose) if match else None
    try:
        parts = urlsplit(text)
        port = parts.port or _PORTS.get(parts.scheme.lower())
    except ValueError:
        return None
    return _checked(parts.hostname or "", port, purpose) if port else None


def _checked(host: str, port: int, purpose: str) -> Endpoint | None:
    return Endpoint(host.lower(), port, purpose) if _HOST.fullmatch(host.lower()) else None


# --- To hand out ----------------------------------------------------------------------------
def as_csv(endpoints: Iterable[Endpoint]) -> str:
    """With a head; for a spreadsheet or a ticket."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["direction", "protocol", "host", "port", "purpose"])
    writer.writerows(["outbound", "TCP", it.host, it.port, it.purpose] for it in endpoints)
    return out.getvalue()


def as_text(endpoints: Iterable[Endpoint]) -> str:
    """One target a line."""
    return "".join(f"{it.host}:{it.port}\n" for it in endpoints)


def script_of(endpoints: Iterable[Endpoint]) -> str:
    """A POSIX shell script that tries each target once and prints one line for it.

    It needs `nc` with -z and -w, as busybox has it. It ends with 1 when one was not reached.
    """
    lines = [
        "failed=0",
        "try() {",
        '  if nc -z -w 5 "$1" "$2" >/dev/null 2>&1; then',
        '    echo "ok     $1:$2"',
        "  else",
        '    echo "FAILED $1:$2"',
        "    failed=1",
        "  fi",
        "}",
        *(f"try {shlex.quote(it.host)} {it.port}" for it in endpoints if it.can_be_tried),
        'exit "$failed"',
    ]
    return "\n".join(lines) + "\n"


_MANIFEST = """\
# Tries from inside the cluster what Flux and its agents have to reach, and changes nothing.
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
  namespace: {namespace}
spec:
  backoffLimit: 0
  activeDeadlineSeconds: {deadline}
  ttlSecondsAfterFinished: 3600
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {name}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 65534
        runAsGroup: 65534
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: try
          # Any small image with a POSIX shell and nc will do. Where the nodes do not reach this
          # registry, name a copy in yours.
          image: {image}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: ["ALL"]
          resources:
            requests: {{cpu: 10m, memory: 16Mi}}
            limits: {{cpu: 100m, memory: 32Mi}}
          command: ["/bin/sh", "-c"]
          args:
            - |
{script}
"""


def job_of(
    connection: Connection, endpoints: Sequence[Endpoint], *, namespace: str = "default"
) -> str:
    """The Job as YAML; it fits the restricted pod security standard and holds no secret."""
    script = "\n".join(f"{' ' * 14}{line}" for line in script_of(endpoints).splitlines())
    is_china = connection.cloud == Connection.Cloud.CHINA
    registry = "dockerhub.azk8s.cn" if is_china else "docker.io"
    return _MANIFEST.format(
        name=JOB,
        namespace=namespace,
        image=f"{registry}/library/busybox:1.36",
        deadline=60 + 10 * len(endpoints),
        script=script,
    )


def job_commands(namespace: str) -> list[str]:
    """Run it, read what it says, take it away."""
    return [
        f"kubectl apply -f {JOB_FILE}",
        f"kubectl logs --namespace {namespace} job/{JOB} --follow --pod-running-timeout=2m",
        f"kubectl delete -f {JOB_FILE}",
    ]
