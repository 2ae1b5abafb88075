"""Known failures of Helm: repositories, charts, values, releases (source- and helm-controller)."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from clusters.rulebook import Symptom, symptom

_SOURCE = "source-controller 1.7.4, HelmRepository and HelmChart"
_FLUX = "helm-controller 1.4.5"
_CHARTS = "kubectl get helmrepositories,helmcharts --namespace {namespace}"
_RELEASES = "kubectl get helmreleases --namespace {namespace}"
_EVENTS = "kubectl get events --namespace {namespace} --sort-by .lastTimestamp"

HELM_SYMPTOMS: tuple[Symptom, ...] = (
    symptom(
        "helm_silent",
        r"HelmRelease \S+ reports no conditions",
        _("A release was applied, but helm-controller says nothing of it."),
        _("So it is where the chart's source lies in another namespace: the extension's "
          "multi-tenancy refuses that, and only the controller's log tells. Right after it was "
          "applied this passes by itself."),
        _("Put the chart's source into the release's namespace."),
        _("Or look into the log of helm-controller."),
        command="kubectl logs --namespace flux-system deployment/helm-controller",
        source="Microsoft: GitOps with Flux v2, multi-tenancy; helm-controller 1.4.5",
    ),
    symptom(
        "helm_index_absent",
        r"failed to fetch \S+/index\.yaml : 404",
        _("There is no Helm repository at this URL."),
        _("The server answers, but has no index.yaml there."),
        _("Correct the URL of the HelmRepository in the source."),
        command=_CHARTS,
        source=_SOURCE,
    ),
    symptom(
        "helm_repository_sign_in",
        r"index\.yaml : 40[13]",
        _("The Helm repository refuses the sign-in."),
        _("The HelmRepository names no secret, or one that is not valid."),
        _("Create the Secret and name it in spec.secretRef of the HelmRepository."),
        command=_CHARTS,
        source=_SOURCE,
    ),
    symptom(
        "helm_index_invalid",
        r"IndexationFailed|failed to load Helm repository from index",
        _("The index of the Helm repository cannot be read."),
        _("Its index.yaml is not valid."),
        _("Make the index anew with “helm repo index”."),
        command=_CHARTS,
        source=_SOURCE,
    ),
    symptom(
        "chart_unknown",
        r"no chart name found",
        _("The Helm repository has no chart of this name."),
        _("Its index was read, and the name is not in it."),
        _("Correct the chart's name in the source."),
        command=_CHARTS,
        source=_SOURCE,
    ),
    symptom(
        "chart_absent",
        r"no '[^']+' chart with version|failed to download chart|could not get tags for",
        _("The Helm chart is not there in this version."),
        _("No version in its repository fits what the release asks for."),
        _("Correct the chart's version in the source."),
        command=_CHARTS,
        source=_SOURCE,
    ),
    symptom(
        "chart_source_missing",
        r'SourceUnavailable|failed to get source: |HelmRepository\.\S+ "[^"]+" not found',
        _("A release names a chart source that does not exist."),
        _("The source of the chart has to be in the same namespace."),
        _("Correct sourceRef in the source, or add the HelmRepository."),
        command=_CHARTS,
        source=_SOURCE,
    ),
    symptom(
        "chart_dependency",
        r"dependency build error",
        _("A chart that this chart depends on cannot be had."),
        _("It is not in the repository or folder that Chart.yaml names."),
        _("Correct the dependencies in Chart.yaml, or add the missing chart."),
        command="helm dependency build",
        source=_SOURCE,
    ),
    symptom(
        "values_file",
        r"values files merge error",
        _("A values file of the release is not in the source."),
        _("Paths are those within the chart's source."),
        _("Correct valuesFiles in the source."),
        command=_CHARTS,
        source=_SOURCE,
    ),
    symptom(
        "chart_files",
        r"ChartPackageError|chart packaging error",
        _("The folder in the source is no valid chart."),
        _("A chart needs a Chart.yaml with name and version."),
        _("Correct the chart, or its path in the release."),
        command="helm lint",
        source=_SOURCE,
    ),
    symptom(
        "values_reference",
        r"could not resolve (?P<kind>\w+) chart values reference "
        r"'(?P<in_namespace>[^/']+)/(?P<other>[^']+)'",
        _("The values of the release are not on the cluster."),
        _("The ConfigMap or Secret, or the key within it, is missing."),
        _("Create what is named in the release's namespace."),
        command="kubectl get {kind} {other} --namespace {in_namespace} --output yaml",
        source=_FLUX,
    ),
    symptom(
        "values_schema",
        r"values don't meet the specifications of the schema",
        _("The values do not fit the chart."),
        _("The chart's schema refuses a value; the message names it."),
        _("Correct the values of the release in the source."),
        command=_RELEASES,
        source="Helm, values.schema.json",
    ),
    symptom(
        "helm_kind_unknown",
        r"unable to build kubernetes objects from release manifest",
        _("The chart uses a kind that the cluster does not know."),
        _("Its CustomResourceDefinition has to be installed first."),
        _("Install the definitions first, by a release that this one depends on."),
        command="kubectl get customresourcedefinitions",
        source=_FLUX,
    ),
    symptom(
        "helm_namespace",
        r"create: failed to create: namespaces \"(?P<other>[^\"]+)\" not found",
        _("The namespace of the release does not exist."),
        _("Helm does not make it unless it is told to."),
        _("Add the Namespace to the source, or set install.createNamespace."),
        command="kubectl create namespace {other}",
        source=_FLUX,
    ),
    symptom(
        "helm_forbidden",
        r"Helm \w+ failed.*is forbidden: User",
        _("The release may not write into its namespace."),
        _("With namespace scope it may only write in the configuration's own."),
        _("Use that namespace, or cluster scope."),
        command=_RELEASES,
        source="Microsoft: GitOps with Flux v2, multi-tenancy",
    ),
    symptom(
        "helm_timeout",
        r"Helm (?:install|upgrade) failed.*context deadline exceeded",
        _("The release's pods do not become ready in time."),
        _("Helm waits for them, and then gives the release up."),
        _("Look at the pods and events of the release."),
        _("Correct the chart's values in the source, or give it more time."),
        command=_EVENTS,
        source=_FLUX,
    ),
    symptom(
        "helm",
        r"Helm (?:install|upgrade|test) failed|Failed to (?:install|upgrade) after"
        r"|Helm rollback to previous release|Helm uninstall remediation",
        _("Helm could not bring the release up."),
        _("The reason stands in the message."),
        _("Look at the release's pods and events on the cluster."),
        _("Correct the chart's values in the repository."),
        command=_EVENTS,
        source=_FLUX,
    ),
)  # fmt: skip
