"""Known failures of Flux on Azure: how each is recognised, what it means, what to do.

The first rule whose pattern occurs in the message wins. Sources: texts of the Flux 2.7
controllers, and the troubleshooting pages of Azure's GitOps documentation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


@dataclass(frozen=True)
class Advice:
    """A cause in plain words and its remedy, step by step."""

    code: str
    pattern: re.Pattern[str]
    title: Text
    detail: Text
    steps: tuple[Text, ...]
    in_portal: bool = field(default=False)  # whether a change of the configuration is the remedy


def _rule(
    code: str, pattern: str, title: Text, detail: Text, *steps: Text, in_portal: bool = False
) -> Advice:
    return Advice(code, re.compile(pattern, re.IGNORECASE), title, detail, steps, in_portal)


RULES = (
    _rule(
        "api_version_removed",
        r'no matches for kind "[^"]+" in version "[^"]*toolkit\.fluxcd\.io',
        _("A manifest asks for an API version that the cluster no longer serves."),
        _("Newer versions of the microsoft.flux extension removed the beta APIs of Flux."),
        _("In the repository, write the manifests with the v1 or v2 version of the API."),
        _("Wait for the next reconcile. The configuration itself needs no change."),
    ),
    _rule(
        "kind_unknown",
        r'no matches for kind "',
        _("A manifest uses a kind that the cluster does not know."),
        _("Its CustomResourceDefinition is missing, or is applied by something that comes later."),
        _("Have the definition applied first: put it in a kustomization that this depends on."),
        in_portal=True,
    ),
    _rule(
        "branch_missing",
        r"couldn't find remote ref \"?refs/heads/",
        _("The branch does not exist in the repository."),
        _("Git answers, but has no branch of this name."),
        _("Propose a change of the branch, or create the branch in the repository."),
        in_portal=True,
    ),
    _rule(
        "tag_missing",
        r"couldn't find remote ref|no match found for semver|unable to resolve commit",
        _("The reference does not exist in the repository."),
        _("Git answers, but nothing there fits the tag, range or commit."),
        _("Propose a change of the reference, or create it in the repository."),
        in_portal=True,
    ),
    _rule(
        "source_sign_in",
        r"authentication required|authorization failed|unable to authenticate|no supported "
        r"methods remain|AuthenticationFailed|Invalid username or (?:token|password)",
        _("The source refuses the sign-in."),
        _("GitHub answers the same for a repository that does not exist or is private."),
        _("Check the repository's URL."),
        _("For a private repository, name a local secret with valid credentials."),
        in_portal=True,
    ),
    _rule(
        "source_absent",
        r"repository not found|Repository not found|bucket '[^']*' not found",
        _("The source does not exist at this URL."),
        _("The server answers, but knows nothing at this address."),
        _("Propose a change of the URL."),
        in_portal=True,
    ),
    _rule(
        "secret_missing",
        r"secrets? \"[^\"]+\" not found|failed to get secret",
        _("The secret that signs in to the source is not on the cluster."),
        _("A local reference names a Secret in the configuration's namespace."),
        _("Create the Secret in that namespace, or propose another local reference."),
        in_portal=True,
    ),
    _rule(
        "host_key",
        r"knownhosts: key",
        _("The SSH host's key is not the one that is known."),
        _("Either the host changed its key, or it is another host."),
        _("Find out the host's key by a trusted way and give it as known hosts."),
    ),
    _rule(
        "certificate",
        r"x509: |failed to verify certificate",
        _("The source's TLS certificate is not trusted."),
        _("Its issuer is not among those that the cluster knows."),
        _("Give the issuer's certificate as HTTPS CA certificate."),
    ),
    _rule(
        "unreachable",
        r"no such host|connection refused|i/o timeout|context deadline exceeded.*clone"
        r"|unable to (?:clone|list remote)[^:]*: context deadline|no route to host",
        _("The cluster cannot reach the source."),
        _("DNS or the network between the cluster and the source does not let it through."),
        _("Check the URL's host, DNS, and the firewall's rules for ports 443 and 22."),
    ),
    _rule(
        "path_missing",
        r"kustomization path not found",
        _("The path does not exist in the source."),
        _("The source was fetched, but has no such folder at this revision."),
        _("Propose a change of the path, or add the folder to the repository."),
        in_portal=True,
    ),
    _rule(
        "build",
        r"kustomize build failed|failed to decode Kubernetes YAML|MalformedYAMLError"
        r"|missing Resource metadata",
        _("The manifests cannot be built."),
        _("A file in the path is not valid, or a kustomization names one that is not there."),
        _("Build it at home with “kustomize build” and correct the file that is named."),
    ),
    _rule(
        "substitute",
        r"post build failed",
        _("A variable of the manifests has no value."),
        _(
            "The substitution after the build names a ConfigMap, a Secret or a variable that is "
            "missing."
        ),
        _("Create what is named, or propose a change of the substitution."),
        in_portal=True,
    ),
    _rule(
        "forbidden",
        r"flux-applier\"? cannot|is forbidden: User",
        _("The configuration may not write there."),
        _("With namespace scope it may only write in its own namespace."),
        _("Move the manifests to the configuration's namespace, or use cluster scope."),
    ),
    _rule(
        "cross_namespace",
        r"cross-namespace references (?:have been blocked|are not allowed)",
        _("An object refers to a source in another namespace."),
        _("The extension's multi-tenancy forbids that."),
        _("Put source and object in the configuration's namespace."),
    ),
    _rule(
        "webhook",
        r"does not support dry run",
        _("An admission webhook does not support a dry run."),
        _("Flux asks what would happen before it applies anything."),
        _("Set the webhook's sideEffects to None or NoneOnDryRun."),
    ),
    _rule(
        "immutable",
        r"field is immutable",
        _("A field cannot be changed on an existing object."),
        _("Kubernetes only takes the new value when the object is made again."),
        _("Propose Force for this kustomization, or delete the object by hand."),
        in_portal=True,
    ),
    _rule(
        "namespace_absent",
        r"namespaces \"[^\"]+\" not found|namespace not specified",
        _("The namespace of an object does not exist."),
        _("Neither the manifests nor the cluster have it."),
        _("Add the Namespace to the manifests."),
    ),
    _rule(
        "chart_absent",
        r"no '[^']+' chart with version|no chart name found|invalid chart reference"
        r"|failed to download chart",
        _("The Helm chart is not in its repository."),
        _("No version there fits what the release asks for."),
        _("In the repository, correct the chart's name or version."),
    ),
    _rule(
        "helm",
        r"Helm (?:install|upgrade|rollback|test) failed|Failed to install after",
        _("Helm could not bring the release up."),
        _("The reason stands in the message; often its pods do not become ready in time."),
        _("Look at the release's pods and events on the cluster."),
        _("Correct the chart's values in the repository."),
    ),
    _rule(
        "health",
        r"health check failed|timeout waiting for",
        _("What was applied does not become ready."),
        _("The objects exist, but the named ones do not report that they run."),
        _("Look at the pods and events of the named objects."),
    ),
    _rule(
        "flux_v1",
        r"Flux v1 configurations already exist|sourceControlConfigurations",
        _("The cluster still has Flux v1 configurations."),
        _("Flux v1 and v2 cannot run on one cluster."),
        _("Delete the Flux v1 configurations, then send the change again."),
    ),
    _rule(
        "not_registered",
        r"MissingSubscriptionRegistration|not registered to use namespace",
        _("The subscription has not registered Microsoft.KubernetesConfiguration."),
        _("Azure refuses everything about Flux until it has."),
        _("Propose the registration on the cluster's page."),
    ),
)


def advice_for(message: str, *, reason: str = "") -> Advice | None:
    """The first rule that knows this message (or reason); None for an unknown one."""
    text = f"{reason}: {message}"
    return next((rule for rule in RULES if rule.pattern.search(text)), None)
