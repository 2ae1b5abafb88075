"""What a HelmRelease needs before Helm acts: dependencies, chart, values, rights.

Rules: flux-behaviour section 4.
"""

from __future__ import annotations

from datetime import timedelta

from .access_rules import account_of, may_act, refusal
from .chart_catalogue import Chart
from .git_source import SourceError
from .helm_source import find_chart
from .helm_values import ValuesError, values_of
from .objects import Manifest, ObjectKey, condition, is_true, key_of
from .resources import HELM_GROUP, SOURCE_GROUP
from .source_controller import artifact_of
from .state import ClusterState

MANAGER = "helm-controller"


class NotReadyError(Exception):
    """A prerequisite is missing: condition reason and message, and how long to wait."""

    def __init__(self, reason: str, message: str, wait: timedelta | None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.wait = wait


class PreparedRelease:
    """A release with the chart and the values that it is to have."""

    chart: Chart
    values: Manifest

    def __init__(self, state: ClusterState, key: ObjectKey, manifest: Manifest) -> None:
        self.state = state
        self.key = key
        self.manifest = manifest
        self.spec = manifest["spec"]
        target = self.spec.get("targetNamespace")
        self.namespace = str(target or key.namespace)
        self.name = str(
            self.spec.get("releaseName") or (f"{target}-{key.name}" if target else key.name)
        )
        self.storage = str(self.spec.get("storageNamespace") or key.namespace)

    # --- prerequisites ----------------------------------------------------------------------

    def prepare(self) -> None:
        """Find chart and values; raise NotReadyError when something is not there yet."""
        self._check_dependencies()
        chart_key = self._referenced_chart() or self._chart_key()
        chart = self.state.store.get(chart_key)
        fault = _chart_fault(chart_key, chart)
        if chart is None or fault:
            # The chart wakes its release when it is there.
            raise NotReadyError(
                "SourceNotReady", fault, self.state.requeue_dependency("helm-controller")
            )
        try:
            self.chart = find_chart(self.state, chart)
        except SourceError as failure:
            text = f"Could not load chart: {failure.message}"
            raise NotReadyError("ArtifactFailed", text, self.back_off()) from None
        try:
            self.values = values_of(self.state, self.manifest)
        except ValuesError as failure:
            raise NotReadyError("ValuesError", str(failure), self.back_off()) from None
        self._check_rights()

    def _check_dependencies(self) -> None:
        for ref in self.spec.get("dependsOn") or []:
            namespace = ref.get("namespace") or self.key.namespace
            key = ObjectKey(HELM_GROUP, "HelmRelease", namespace, ref["name"])
            found = self.state.store.get(key)
            shown = f"'{namespace}/{ref['name']}'"
            if found is None:
                text = f"unable to get {shown} dependency: helmreleases.{HELM_GROUP}"
                text += f' "{ref["name"]}" not found'
            elif _is_ready(found):
                continue
            else:
                text = f"dependency {shown} is not ready"
            raise NotReadyError(
                "DependencyNotReady", text, self.state.requeue_dependency("helm-controller")
            )

    def _referenced_chart(self) -> ObjectKey | None:
        """Return the chart object that the release names itself, None when it names none."""
        ref = self.spec.get("chartRef")
        if not ref:
            return None
        kind, namespace = ref["kind"], ref.get("namespace") or self.key.namespace
        if self.state.enforces_tenancy and namespace != self.key.namespace:
            text = "cross-namespace references are not allowed: cannot access "
            text += f"{kind} {namespace}/{ref['name']}"
            status = self.state.status(self.key).drop("Reconciling")
            status.condition("Stalled", "True", "AccessDenied", text).observed().save()
            raise NotReadyError("AccessDenied", text, None)
        key = ObjectKey(SOURCE_GROUP, kind, namespace, ref["name"])
        if key not in self.state.store:
            text = f'could not get Source object: {kind}.{SOURCE_GROUP} "{key.name}" not found'
            raise NotReadyError("ArtifactFailed", text, self.back_off())
        if kind not in ("HelmChart", "OCIRepository"):
            text = f"Could not load chart: {kind} '{namespace}/{key.name}' holds no Helm chart"
            raise NotReadyError("ArtifactFailed", text, self.back_off())
        if kind == "HelmChart":
            self.state.status(self.key).fields(helmChart=f"{namespace}/{key.name}").save()
        return key

    def _chart_key(self) -> ObjectKey:
        """Write the HelmChart that the release needs and return its key."""
        template = (self.spec.get("chart") or {}).get("spec") or {}
        ref = template.get("sourceRef") or {}
        managed = (self.manifest["metadata"].get("annotations") or {}).get(
            "clusterconfig.azure.com/use-managed-source"
        )
        if managed == "true":
            ref = self._managed_source() or ref
        namespace = ref.get("namespace") or self.key.namespace
        name = f"{self.key.namespace}-{self.key.name}"
        spec = {
            "chart": template.get("chart", ""),
            "version": str(template.get("version") or "*"),
            "interval": template.get("interval") or self.spec.get("interval") or "10m0s",
            "sourceRef": {"kind": ref.get("kind", "HelmRepository"), "name": ref.get("name", "")},
            "reconcileStrategy": template.get("reconcileStrategy") or "ChartVersion",
        }
        if template.get("valuesFiles"):
            spec["valuesFiles"] = template["valuesFiles"]
        chart = {
            "apiVersion": f"{SOURCE_GROUP}/v1",
            "kind": "HelmChart",
            "metadata": {"name": name, "namespace": namespace, "labels": self.labels()},
            "spec": spec,
        }
        if self.state.store.apply(chart, manager=MANAGER, now=self.state.now) != "unchanged":
            self.state.scheduler.restart(key_of(chart), self.state.now)
        self.state.status(self.key).fields(helmChart=f"{namespace}/{name}").save()
        return key_of(chart)

    def _managed_source(self) -> dict[str, str] | None:
        """Return the configuration's own source for a release that asks to use it."""
        labels = self.manifest["metadata"].get("labels") or {}
        owner = self.state.store.get(
            ObjectKey(
                "kustomize.toolkit.fluxcd.io",
                "Kustomization",
                labels.get("kustomize.toolkit.fluxcd.io/namespace", ""),
                labels.get("kustomize.toolkit.fluxcd.io/name", ""),
            )
        )
        ref = owner["spec"]["sourceRef"] if owner else None
        return ref if ref and ref["kind"] == "GitRepository" else None

    def labels(self) -> dict[str, str]:
        return {
            f"{HELM_GROUP}/name": self.key.name,
            f"{HELM_GROUP}/namespace": self.key.namespace,
        }

    def _check_rights(self) -> None:
        account = account_of(self.state, self.manifest)
        if account is None or may_act(self.state, account, self.storage):
            return
        resource = self.state.store.registry.kind("", "Secret")
        assert resource is not None  # noqa: S101 - every cluster serves secrets
        denied = refusal(account, "list", resource, "", self.storage)
        text = "Could not determine release state: failed to retrieve last release from storage: "
        text += f"list: failed to list: {denied}"
        raise NotReadyError("StateError", text, self.back_off())

    def back_off(self) -> timedelta:
        return self.state.scheduler.back_off(self.key)


def _is_ready(manifest: Manifest) -> bool:
    observed = (manifest.get("status") or {}).get("observedGeneration")
    return observed == manifest["metadata"]["generation"] and is_true(manifest, "Ready")


def _chart_fault(key: ObjectKey, chart: Manifest | None) -> str:
    """Return why a chart cannot be used yet; nothing when it can."""
    about = f"{key.kind} '{key.namespace}/{key.name}' is not ready: "
    status = (chart or {}).get("status") or {}
    ready = condition(chart, "Ready")
    if chart is None or ready is None:
        return about + "latest generation of object has not been reconciled"
    if status.get("observedGeneration") != chart["metadata"]["generation"]:
        if ready["status"] == "False":
            return about + str(ready["message"])
        return about + "latest generation of object has not been reconciled"
    if is_true(chart, "Stalled"):
        return about + str(ready["message"])
    if artifact_of(chart) is None:
        return about + "does not have an artifact"
    return ""
