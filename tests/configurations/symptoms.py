"""One scenario for each entry of the rule book: how a cluster comes to say it.

A scenario drives the simulated Azure through sources, manifests, settings of the extension and,
for what comes from the cloud's side, faults at the control door. What it returns was read by the
portal's own sync and observation.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils import timezone

import arm
from clusters.cluster_symptoms import extension_remedy, place_of
from clusters.gateways import gateway_for
from clusters.models import Cluster, Connection
from clusters.rulebook import Symptom, command_of
from configurations import observe
from configurations.diagnosis import diagnose
from configurations.models import Configuration
from configurations.rulebook import advice_for
from simulator.inprocess import InProcessSimulator
from tests.clusters.conftest import sweep
from tests.simulator_fixtures import Azure

URL = "https://git.example.com/team/fleet"
SSH = "ssh://git@git.example.com/team/fleet"
PROVIDERS = "/providers/Microsoft.KubernetesConfiguration"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: team}\n"


@dataclass(frozen=True)
class Found:
    """What the portal says: the entry and its command."""

    entry: Symptom
    command: str
    waits_for_itself: bool = False


class House:
    """The portal and the simulated Azure, with one repository and one configuration."""

    def __init__(
        self, connection: Connection, simulator: InProcessSimulator, azure: Azure, folder: Path
    ) -> None:
        self.connection = connection
        self.simulator = simulator
        self.control = simulator.control
        self.azure = azure
        self.folder = folder / "fleet"
        self.target = azure.arc

    # --- sources --------------------------------------------------------------------------------
    def repository(self, files: dict[str, str], url: str = URL) -> None:
        """A Git repository with these files and nothing else."""
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            self._git("init", "--quiet", "--initial-branch=main")
        else:
            self._git("rm", "-r", "--quiet", ".")
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", "Change")
        self.control.map_source(url, str(self.folder))

    def _git(self, *words: str) -> None:
        person = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        subprocess.run(["git", *person, "-C", str(self.folder), *words], check=True,
                       env=environment, capture_output=True)  # fmt: skip

    # --- what is written ------------------------------------------------------------------------
    def put(
        self,
        kustomizations: dict[str, Any] | None = None,
        *,
        git: dict[str, Any] | None = None,
        url: str = URL,
        **properties: Any,
    ) -> Any:
        """A configuration "demo"; return ARM's answer."""
        body = {
            "scope": "cluster",
            "namespace": "team",
            "sourceKind": "GitRepository",
            "gitRepository": {"url": url, "repositoryRef": {"branch": "main"}} | (git or {}),
            "kustomizations": kustomizations or {"app": {"path": "app", "prune": True}},
        }
        if "sourceKind" in properties:
            del body["gitRepository"]
        answer = self.azure.call("PUT", self.id, {"properties": body | properties})
        self.simulator.run_until_idle()
        return answer

    @property
    def id(self) -> str:
        return f"{self.target}{PROVIDERS}/fluxConfigurations/demo"

    def install(self, settings: dict[str, str] | None = None, **properties: Any) -> None:
        body = {
            "extensionType": "microsoft.flux",
            "autoUpgradeMinorVersion": True,
            "configurationSettings": settings or {},
        }
        path = f"{self.target}{PROVIDERS}/extensions/flux"
        answer = self.azure.call("PUT", path, {"properties": body | properties},
                                 version="2025-03-01")  # fmt: skip
        assert answer.status_code in (200, 201), answer.text
        self.simulator.run_until_idle()

    def later(self, seconds: float) -> None:
        self.control.advance(seconds)
        self.simulator.run_until_idle()

    # --- what the portal says -------------------------------------------------------------------
    def configuration(self) -> Configuration:
        sweep(self.connection)
        Configuration.objects.update(next_read_at=timezone.now())
        observe.observe_due()
        found: Configuration = Configuration.objects.select_related("cluster").get(name="demo")
        return found

    def seen(self) -> Found | None:
        """What the page of the configuration says."""
        configuration = self.configuration()
        said = diagnose(configuration, list(configuration.statuses.all()))
        if said.advice is None:
            return None
        if said.roots or configuration.error_message:
            assert configuration.cause_code == said.advice.code, "the overview counts it otherwise"
        roots = {root.pk for root in said.roots}
        return Found(said.advice, said.command, bool(roots & set(said.waiting)))

    def cluster(self) -> Cluster:
        sweep(self.connection)
        found: Cluster = Cluster.objects.get(arm_id=self.target.lower())
        return found

    def extension_seen(self) -> Found | None:
        """What the cluster's page says of its extension."""
        remedy = extension_remedy(getattr(self.cluster(), "extension", None))
        return Found(remedy.entry, remedy.command) if remedy else None

    def write_seen(self) -> Found | None:
        """What the portal's own write is told, where Azure refuses it at once."""
        cluster = self.cluster()
        gateway = gateway_for(self.connection, priority=arm.Priority.APPLY)
        body = {"properties": {"sourceKind": "GitRepository", "kustomizations": {"a": {}},
                               "gitRepository": {"url": URL,
                                                 "repositoryRef": {"branch": "main"}}}}  # fmt: skip
        try:
            gateway.put_configuration(self.id, body, client_request_id="symptom")
        except arm.ArmError as error:
            rule = advice_for(error.message, reason=error.code)
            place = place_of(cluster)
            line = command_of(rule, place, error.message, error.code) if rule else ""
            return Found(rule, line) if rule else None
        return None

    def told(self) -> str:
        """What Azure shows, for the message of a test that fails."""
        shown = self.azure.call("GET", self.id).json()
        properties = shown.get("properties") or shown
        lines = [str(properties.get("errorMessage") or properties)[:400]]
        for item in properties.get("statuses") or []:
            first = (item["statusConditions"] or [{"reason": "-", "message": "-"}])[0]
            lines.append(f"{item['kind']} {item['name']}: {first['reason']}: {first['message']}")
        return "\n".join(lines)


Scenario = Callable[[House], Found | None]
SCENARIOS: dict[str, Scenario] = {}


def produces(code: str) -> Callable[[Scenario], Scenario]:
    def keep(scenario: Scenario) -> Scenario:
        assert code not in SCENARIOS, code
        SCENARIOS[code] = scenario
        return scenario

    return keep


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def app(house: House, *manifests: str, **properties: Any) -> Found | None:
    """A repository with these manifests in one file, read as it comes out."""
    house.repository({"app/all.yaml": "\n---\n".join(manifests)})
    house.put(**properties)
    return house.seen()


def namespace(name: str) -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"


# --- Sources ------------------------------------------------------------------------------------
def from_git(house: House, **git: Any) -> Found | None:
    house.repository({"app/a.yaml": CONFIG_MAP})
    house.put(git=git)
    return house.seen()


def asked(
    house: House, kind: str, value: str = "", url: str = URL, **properties: Any
) -> Found | None:
    """A Git source that asks for something."""
    house.repository({"app/a.yaml": CONFIG_MAP}, url)
    house.control.expect(url, kind, value)
    house.put(url=url, **properties)
    return house.seen()


def folder_source(
    house: House, kind: str, body: dict[str, Any], address: str = "", **asks: str
) -> Found | None:
    folder = house.folder.parent / "content"
    (folder / "app").mkdir(parents=True, exist_ok=True)
    (folder / "app" / "a.yaml").write_text(CONFIG_MAP, encoding="utf-8")
    if address:
        house.control.map_source(address, str(folder))
        for asks_for, value in asks.items():
            house.control.expect(address, asks_for.replace("_", "-"), value)
    field = {"Bucket": "bucket", "AzureBlob": "azureBlob", "OCIRepository": "ociRepository"}[kind]
    house.put(sourceKind=kind, **{field: body})
    return house.seen()


BLOB = {"url": "https://store.blob.core.windows.net", "containerName": "fleet"}
BLOB_AT = "https://store.blob.core.windows.net/fleet"
S3 = {"url": "https://s3.example.com", "bucketName": "fleet"}
S3_AT = "https://s3.example.com/fleet"
OCI = {"url": "oci://reg.example.com/team/fleet"}
OCI_AT = OCI["url"]


@produces("branch_missing")
def _(house: House) -> Found | None:
    return from_git(house, repositoryRef={"branch": "nope"})


@produces("tag_missing")
def _(house: House) -> Found | None:
    return from_git(house, repositoryRef={"tag": "v9"})


@produces("range_unmatched")
def _(house: House) -> Found | None:
    return from_git(house, repositoryRef={"semver": ">=9"})


@produces("range_invalid")
def _(house: House) -> Found | None:
    return from_git(house, repositoryRef={"semver": "not a range"})


@produces("commit_missing")
def _(house: House) -> Found | None:
    return from_git(house, repositoryRef={"commit": "0" * 40})


@produces("repository_empty")
def _(house: House) -> Found | None:
    house.folder.mkdir(parents=True)
    house._git("init", "--quiet", "--initial-branch=main")
    house.control.map_source(URL, str(house.folder))
    house.put()
    return house.seen()


@produces("source_absent")
def _(house: House) -> Found | None:
    return asked(house, "answer", "404")


@produces("source_forbidden")
def _(house: House) -> Found | None:
    return asked(house, "answer", "403")


@produces("source_server")
def _(house: House) -> Found | None:
    return asked(house, "answer", "503")


@produces("source_refused")
def _(house: House) -> Found | None:
    return asked(house, "answer", "refused")


@produces("unreachable")
def _(house: House) -> Found | None:
    return asked(house, "answer", "timeout")


@produces("host_unknown")
def _(house: House) -> Found | None:
    return folder_source(house, "Bucket", S3)


@produces("source_sign_in")
def _(house: House) -> Found | None:
    return asked(house, "https", "flux:right")


@produces("certificate")
def _(house: House) -> Found | None:
    return asked(house, "ca", "-----BEGIN CERTIFICATE-----\nx")


@produces("ssh_key_refused")
def _(house: House) -> Found | None:
    return asked(house, "ssh", url=SSH)


@produces("host_key")
def _(house: House) -> Found | None:
    known = encoded("git.example.com ssh-ed25519 AAAAother")
    return asked(house, "hostkey", "ssh-ed25519 AAAAright", SSH, git={"sshKnownHosts": known})


@produces("host_key_unknown")
def _(house: House) -> Found | None:
    return asked(house, "hostkey", "ssh-ed25519 AAAAright", SSH)


@produces("ssh_rsa")
def _(house: House) -> Found | None:
    return asked(house, "algorithms", "rsa-sha2-512,rsa-sha2-256", SSH)


@produces("identity_off")
def _(house: House) -> Found | None:
    return asked(house, "azure", "client-1", git={"provider": "Azure"})


@produces("identity_not_trusted")
def _(house: House) -> Found | None:
    house.install({"workloadIdentity.enable": "true", "workloadIdentity.azureClientId": "client"})
    return asked(house, "azure", "client", git={"provider": "Azure"})


@produces("github_app")
def _(house: House) -> Found | None:
    return asked(house, "github", "7:42", git={"provider": "GitHub"})


@produces("secret_missing")
def _(house: House) -> Found | None:
    return from_git(house, localAuthRef="sign-in")


@produces("secret_incomplete")
def _(house: House) -> Found | None:
    house.control.put_secret(house.target, "team", "sign-in", {"password": "x"})
    return from_git(house, localAuthRef="sign-in")


@produces("commit_signature")
def _(house: House) -> Found | None:
    inner = f"""apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: signed, namespace: team}}
spec: {{interval: 10m, url: "{URL}", ref: {{branch: main}}, verify: {{mode: HEAD,
  secretRef: {{name: keys}}}}}}
"""
    return app(house, inner, kustomizations={"app": {"path": "app", "wait": False}})


@produces("source_controller_down")
def _(house: House) -> Found | None:
    house.install({"source-controller.resources.limits.memory": "256Mi"})
    house.control.set_cluster(house.target, source_memory_mi=600)
    return from_git(house)


@produces("bucket_absent")
def _(house: House) -> Found | None:
    file = house.folder.parent / "not-a-folder"
    file.write_text("", encoding="utf-8")
    house.control.map_source(S3_AT, str(file))
    return folder_source(house, "Bucket", S3)


@produces("bucket_sign_in")
def _(house: House) -> Found | None:
    return folder_source(house, "Bucket", S3, S3_AT, bucket="id:key")


@produces("plain_http")
def _(house: House) -> Found | None:
    return folder_source(house, "Bucket", S3 | {"insecure": False}, S3_AT, http="")


@produces("storage_sign_in")
def _(house: House) -> Found | None:
    return folder_source(house, "AzureBlob", BLOB | {"accountKey": "bad"}, BLOB_AT,
                         account_key="good")  # fmt: skip


@produces("storage_public")
def _(house: House) -> Found | None:
    return folder_source(house, "AzureBlob", BLOB, BLOB_AT, sas="token")


@produces("storage_principal")
def _(house: House) -> Found | None:
    principal = {"clientId": "c", "tenantId": "t", "clientSecret": "old"}
    return folder_source(house, "AzureBlob", BLOB | {"servicePrincipal": principal}, BLOB_AT,
                         service_principal="c:t:new")  # fmt: skip


@produces("identity_without_blob_rights")
def _(house: House) -> Found | None:
    return folder_source(house, "AzureBlob", BLOB | {"managedIdentity": {"clientId": "c"}}, BLOB_AT,
                         managed_identity="c")  # fmt: skip


@produces("oci_absent")
def _(house: House) -> Found | None:
    return folder_source(house, "OCIRepository", OCI | {"repositoryRef": {"tag": "9"}},
                         f"{OCI_AT}:1.0.0")  # fmt: skip


@produces("oci_range")
def _(house: House) -> Found | None:
    return folder_source(house, "OCIRepository", OCI | {"repositoryRef": {"semver": ">=2"}},
                         f"{OCI_AT}:1.0.0")  # fmt: skip


@produces("oci_layer")
def _(house: House) -> Found | None:
    selector = {"layerSelector": {"mediaType": "application/x.tar"}}
    return folder_source(house, "OCIRepository", OCI | selector, OCI_AT)


@produces("oci_signature")
def _(house: House) -> Found | None:
    return folder_source(house, "OCIRepository", OCI | {"verify": {"provider": "cosign"}}, OCI_AT)


@produces("registry_sign_in")
def _(house: House) -> Found | None:
    return folder_source(house, "OCIRepository", OCI, OCI_AT, https="flux:key")


@produces("account_missing")
def _(house: House) -> Found | None:
    return folder_source(house, "OCIRepository", OCI | {"serviceAccountName": "puller"}, OCI_AT)


@produces("url_invalid")
def _(house: House) -> Found | None:
    return folder_source(house, "OCIRepository", {"url": "https://reg.example.com/fleet"})


# --- Kustomizations -----------------------------------------------------------------------------
@produces("path_missing")
def _(house: House) -> Found | None:
    house.repository({"other/a.yaml": CONFIG_MAP})
    house.put()
    return house.seen()


@produces("dependency_missing")
def _(house: House) -> Found | None:
    house.repository({"app/a.yaml": CONFIG_MAP})
    house.put({"app": {"path": "app", "dependsOn": ["nobody"]}})
    return house.seen()


@produces("dependency_cycle")
def _(house: House) -> Found | None:
    house.repository({"app/a.yaml": CONFIG_MAP})
    house.put({"a": {"path": "app", "dependsOn": ["b"]}, "b": {"path": "app", "dependsOn": ["a"]}})
    return house.seen()


def kustomization(name: str, **spec: str) -> str:
    fields = {"interval": "10m", "prune": "true", "path": "./other"} | spec
    lines = "\n".join(f"  {field}: {value}" for field, value in fields.items())
    return (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        f"metadata: {{name: {name}, namespace: team}}\nspec:\n{lines}\n"
    )


NO_WAIT = {"app": {"path": "app", "prune": True, "wait": False}}


@produces("source_object_missing")
def _(house: House) -> Found | None:
    inner = kustomization("inner", sourceRef="{kind: GitRepository, name: nobody}")
    return app(house, inner, kustomizations=NO_WAIT)


@produces("cross_namespace")
def _(house: House) -> Found | None:
    ref = "{kind: GitRepository, name: demo, namespace: other}"
    return app(house, kustomization("inner", sourceRef=ref), kustomizations=NO_WAIT)


def with_variables(house: House, text: str, substitute: dict[str, Any]) -> Found | None:
    house.repository({"app/a.yaml": CONFIG_MAP + f"data: {{x: '{text}'}}\n"})
    house.put({"app": {"path": "app", "postBuild": substitute}})
    return house.seen()


@produces("substitute_from")
def _(house: House) -> Found | None:
    return with_variables(house, "${a}", {"substituteFrom": [{"kind": "ConfigMap", "name": "no"}]})


@produces("variable_missing")
def _(house: House) -> Found | None:
    house.install({"kustomize-controller.strict-substitution-mode": "true"})
    return with_variables(house, "${a}", {"substitute": {"b": "1"}})


@produces("substitute")
def _(house: House) -> Found | None:
    return with_variables(house, "${a", {"substitute": {"a": "1"}})


@produces("not_kubernetes")
def _(house: House) -> Found | None:
    return app(house, "replicas: 3\n")


@produces("yaml")
def _(house: House) -> Found | None:
    return app(house, "a: b: c\n")


def kustomized(house: House, text: str) -> Found | None:
    house.repository({"app/kustomization.yaml": text, "app/a.yaml": CONFIG_MAP})
    house.put()
    return house.seen()


@produces("file_missing")
def _(house: House) -> Found | None:
    return kustomized(house, "resources: [gone.yaml]\n")


@produces("unknown_field")
def _(house: House) -> Found | None:
    return kustomized(house, "resources: [a.yaml]\nressources: [a.yaml]\n")


@produces("patch_target")
def _(house: House) -> Found | None:
    patch = CONFIG_MAP.replace("settings", "nobody")
    lines = patch.replace("\n", "\n    ")
    return kustomized(house, f"resources: [a.yaml]\npatches:\n- patch: |-\n    {lines}")


@produces("build")
def _(house: House) -> Found | None:
    return kustomized(house, "resources: [a.yaml, a.yaml]\n")


@produces("api_version_removed")
def _(house: House) -> Found | None:
    old = helm_repository().replace("fluxcd.io/v1\n", "fluxcd.io/v1beta1\n")
    return app(house, old)


@produces("kind_unknown")
def _(house: House) -> Found | None:
    return app(
        house, "apiVersion: example.org/v1\nkind: Rocket\nmetadata: {name: x, namespace: team}"
    )


@produces("webhook")
def _(house: House) -> Found | None:
    house.install()
    house.control.set_cluster(house.target, webhook_without_dry_run="check.example.org")
    return app(house, CONFIG_MAP)


DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: team}
spec:
  progressDeadlineSeconds: DEADLINE
  selector: {matchLabels: {app: APP}}
  template:
    metadata: {labels: {app: APP}}
    spec: {containers: [{name: web, image: "IMAGE"}]}
"""


def deployment(name: str = "web", image: str = "nginx:1", deadline: int = 600) -> str:
    text = DEPLOYMENT.replace("APP", name).replace("IMAGE", image)
    return text.replace("DEADLINE", str(deadline))


@produces("immutable")
def _(house: House) -> Found | None:
    app(house, deployment("one"))
    house.repository({"app/all.yaml": deployment("two")})
    house.later(700)
    return house.seen()


@produces("forbidden")
def _(house: House) -> Found | None:
    other = CONFIG_MAP.replace("team", "default")
    return app(house, other, scope="namespace")


@produces("object_invalid")
def _(house: House) -> Found | None:
    return app(house, CONFIG_MAP.replace("settings", "Not_A_Name"))


@produces("namespace_unset")
def _(house: House) -> Found | None:
    return app(house, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")


@produces("namespace_absent")
def _(house: House) -> Found | None:
    return app(house, CONFIG_MAP.replace("team", "nowhere"))


@produces("prune_failed")
def _(house: House) -> Found | None:
    house.repository({"app/a.yaml": CONFIG_MAP, "app/b.yaml": CONFIG_MAP.replace("settings", "b")})
    house.put()
    house.control.set_cluster(house.target, webhook_against_delete="keep.example.org")
    house.repository({"app/a.yaml": CONFIG_MAP})
    house.later(700)
    return house.seen()


@produces("health")
def _(house: House) -> Found | None:
    broken = deployment(image="registry.invalid/web:1")
    return app(house, broken, kustomizations={"app": {"path": "app", "timeoutInSeconds": 60}})


@produces("health_stalled")
def _(house: House) -> Found | None:
    broken = deployment(image="registry.invalid/web:1", deadline=10)
    return app(house, broken, kustomizations={"app": {"path": "app", "timeoutInSeconds": 300}})


@produces("reconcile_timeout")
def _(house: House) -> Found | None:
    house.repository({"other/a.yaml": CONFIG_MAP})
    properties = {"waitForReconciliation": True, "reconciliationWaitDuration": "PT1M"}
    house.put(git={"repositoryRef": {"branch": "nope"}}, **properties)
    house.later(300)
    shown = house.azure.call("GET", house.id).json()["properties"]
    assert shown["provisioningState"] == "Failed"
    configuration = house.configuration()
    rule = advice_for(configuration.error_message)
    return Found(rule, "") if rule else None


# --- Helm ---------------------------------------------------------------------------------------
PODINFO = "https://stefanprodan.github.io/podinfo"
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
CHARTS = "https://charts.example.com/stable"


def helm_repository(url: str = PODINFO) -> str:
    return (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\n"
        f'metadata: {{name: charts, namespace: team}}\nspec: {{interval: 10m, url: "{url}"}}\n'
    )


def release(extra: str = "", chart: str = "podinfo", version: str = "6.x") -> str:
    return f"""apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: web, namespace: team}}
spec:
  interval: 10m
  chart: {{spec: {{chart: {chart}, version: "{version}",
    sourceRef: {{kind: HelmRepository, name: charts}}}}}}
{extra}
"""


def helm(house: House, *manifests: str) -> Found | None:
    return app(house, *manifests, kustomizations=NO_WAIT)


def local_chart(house: House, files: dict[str, str], values: str = "") -> Found | None:
    """A release of a chart that lies in a folder which stands for a chart repository."""
    folder = house.folder.parent / "charts"
    for name, text in {"web/Chart.yaml": CHART, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    house.control.map_source(CHARTS, str(folder))
    return helm(house, helm_repository(CHARTS), release(values, chart="web", version="1.x"))


@produces("helm_index_absent")
def _(house: House) -> Found | None:
    return helm(house, helm_repository("https://stefanprodan.github.io/absent"))


@produces("helm_repository_sign_in")
def _(house: House) -> Found | None:
    house.control.expect(CHARTS, "https", "flux:key")
    return local_chart(house, {})


@produces("helm_index_invalid")
def _(house: House) -> Found | None:
    return local_chart(house, {"index.yaml": "entries: [not, a, mapping"})


@produces("chart_unknown")
def _(house: House) -> Found | None:
    return helm(house, helm_repository(), release(chart="nobody"))


@produces("chart_absent")
def _(house: House) -> Found | None:
    return helm(house, helm_repository(), release(version="99.x"))


@produces("chart_source_missing")
def _(house: House) -> Found | None:
    return helm(house, release())


def chart_in_git(house: House, files: dict[str, str], extra: str = "") -> Found | None:
    ref = "{kind: GitRepository, name: demo}"
    text = release("", chart="./charts/web", version="*")
    text = text.replace("{kind: HelmRepository, name: charts}", f"{ref}{extra}")
    house.repository({"app/all.yaml": text, **files})
    house.put(NO_WAIT)
    return house.seen()


@produces("chart_files")
def _(house: House) -> Found | None:
    return chart_in_git(house, {"charts/other/Chart.yaml": CHART})


@produces("chart_dependency")
def _(house: House) -> Found | None:
    needs = "dependencies:\n- {name: db, version: 1.0.0, repository: 'file://../db'}\n"
    return chart_in_git(house, {"charts/web/Chart.yaml": CHART + needs})


@produces("values_file")
def _(house: House) -> Found | None:
    return chart_in_git(house, {"charts/web/Chart.yaml": CHART}, ", valuesFiles: [./gone.yaml]")


@produces("values_reference")
def _(house: House) -> Found | None:
    values = "  valuesFrom: [{kind: Secret, name: web-values}]"
    return helm(house, helm_repository(), release(values))


@produces("values_schema")
def _(house: House) -> Found | None:
    schema = '{"type": "object", "properties": {"replicaCount": {"type": "integer"}}}'
    values = "  values: {replicaCount: many}"
    return local_chart(house, {"web/values.schema.json": schema}, values)


@produces("helm_kind_unknown")
def _(house: House) -> Found | None:
    rocket = "apiVersion: example.org/v1\nkind: Rocket\nmetadata: {name: x}\n"
    return local_chart(house, {"web/templates/rocket.yaml": rocket})


@produces("helm_namespace")
def _(house: House) -> Found | None:
    return helm(house, helm_repository(), release("  targetNamespace: team2\n").replace(
        "interval: 10m\n", "interval: 10m\n  storageNamespace: team\n"))  # fmt: skip


@produces("helm_forbidden")
def _(house: House) -> Found | None:
    house.repository({"app/all.yaml": "\n---\n".join(
        [helm_repository(), release("  targetNamespace: default\n")])})  # fmt: skip
    house.put(NO_WAIT, scope="namespace")
    return house.seen()


@produces("helm_storage_forbidden")
def _(house: House) -> Found | None:
    other = helm_repository().replace("namespace: team", "namespace: other")
    elsewhere = release().replace("namespace: team", "namespace: other")
    return helm(house, namespace("other"), other, elsewhere)


@produces("helm_silent")
def _(house: House) -> Found | None:
    foreign = release().replace("name: charts}", "name: charts, namespace: other}")
    other = helm_repository().replace("namespace: team", "namespace: other")
    return helm(house, namespace("other"), other, foreign)


BROKEN = "  timeout: 30s\n  values: {image: {repository: registry.invalid/web, tag: '1'}}\n"


@produces("helm_timeout")
def _(house: House) -> Found | None:
    remediated = "  install: {remediation: {retries: 1, remediateLastFailure: true}}\n"
    found = helm(house, helm_repository(), release(BROKEN + remediated))
    status = house.configuration().statuses.get(kind="HelmRelease")
    assert status.reason == "UninstallSucceeded", "the cause is what Helm took back for"
    assert status.helm is not None
    assert status.helm["installFailureCount"] == 2
    return found


@produces("helm")
def _(house: House) -> Found | None:
    # The chart's own hook says no; Helm passes on what it said.
    hook = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_A_Name}\n"
    return local_chart(house, {"web/templates/wrong.yaml": hook})


# --- The extension ------------------------------------------------------------------------------
def failing_extension(house: House, trait: str, target: str = "") -> Found | None:
    house.target = target or house.target
    house.control.set_cluster(house.target, **{trait: True})
    house.install()
    return house.extension_seen()


@produces("pod_identity")
def _(house: House) -> Found | None:
    return failing_extension(house, "pod_identity", house.azure.aks)


@produces("limits_policy")
def _(house: House) -> Found | None:
    return failing_extension(house, "gatekeeper_limits")


@produces("policy_blocks_flux")
def _(house: House) -> Found | None:
    return failing_extension(house, "policy_blocks_flux")


@produces("aks_automatic")
def _(house: House) -> Found | None:
    return failing_extension(house, "aks_automatic", house.azure.aks)


@produces("openshift_constraint")
def _(house: House) -> Found | None:
    return failing_extension(house, "openshift_scc")


@produces("dataplane_unreachable")
def _(house: House) -> Found | None:
    return failing_extension(house, "dataplane_blocked")


@produces("extension_not_rendered")
def _(house: House) -> Found | None:
    house.install(version="1.15.1", autoUpgradeMinorVersion=False)
    return house.extension_seen()


@produces("service_principal")
def _(house: House) -> Found | None:
    house.target = house.azure.aks
    principal = {"clientId": "5f0b6a3e-0000-4000-8000-000000000001"}
    house.control.set_properties(house.target, {"servicePrincipalProfile": principal})
    house.install()
    return house.extension_seen()


@produces("extension_failed")
def _(house: House) -> Found | None:
    house.control.add_fault(
        kind="fail_operation", method="PUT", path="extensions", code="ExtensionCreationFailed",
        message="Helm installation failed : timed out waiting for the condition",
    )  # fmt: skip
    house.install()
    return house.extension_seen()


@produces("extension_not_ready")
def _(house: House) -> Found | None:
    house.control.set_cluster(house.target, gatekeeper_limits=True)
    house.install()
    house.put()
    return house.seen()


@produces("extension_missing")
def _(house: House) -> Found | None:
    house.control.options(extension_on_create="fail")
    house.put()
    return house.seen()


# --- Arc, and Azure's own side ------------------------------------------------------------------
@produces("agent_offline")
def _(house: House) -> Found | None:
    from_git(house)
    house.control.set_agent_online(house.target, False)
    house.later(1000)
    return house.seen()


@produces("agent_expired")
def _(house: House) -> Found | None:
    from_git(house)
    house.control.expire_agent(house.target)
    house.later(1000)
    return house.seen()


@produces("agent_timeout")
def _(house: House) -> Found | None:
    house.control.set_agent_online(house.target, False)
    house.put()
    house.later(48 * 3600 + 60)
    return house.seen()


@produces("not_registered")
def _(house: House) -> Found | None:
    house.cluster()
    house.control.set_registration("Microsoft.KubernetesConfiguration")
    return house.write_seen()


@produces("azure_rights")
def _(house: House) -> Found | None:
    house.cluster()
    house.control.revoke("fluxgate")
    house.control.grant("fluxgate", "", ["*/read"])
    return house.write_seen()


@produces("azure_policy")
def _(house: House) -> Found | None:
    house.cluster()
    house.control.add_fault(
        kind="status", method="PUT", path="fluxConfigurations", status=403,
        code="RequestDisallowedByPolicy", message="Resource 'demo' was disallowed by policy.",
    )  # fmt: skip
    return house.write_seen()


@produces("flux_v1")
def _(house: House) -> Found | None:
    house.install()
    house.control.add_fault(
        kind="fail_operation", method="PUT", path="fluxConfigurations", code="FluxV1Exists",
        message="Flux v1 configurations already exist on the cluster",
    )  # fmt: skip
    house.put()
    return house.seen()
