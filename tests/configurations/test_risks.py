"""What reviewers are told, how outcomes are judged, and which failures have advice."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from access.models import User
from changes.kinds import Live, Step
from changes.models import Change
from clusters.models import Cluster
from configurations import proposals, services
from configurations.blast import facts_of
from configurations.kind import FluxConfigurationKind
from configurations.models import Configuration, ObjectStatus
from configurations.risks import risks_of
from configurations.rulebook import advice_for
from configurations.specification.wire import merged
from tests.configurations.test_compose import tutorial_data
from tests.factories.configurations import TUTORIAL

pytestmark = pytest.mark.django_db
KIND = FluxConfigurationKind()


def update(
    author: User, configuration: Configuration, patch: dict[str, Any], **before: Any
) -> Change:
    """A change of the configuration by this patch, in review."""
    configuration.observed = merged(deepcopy(TUTORIAL), before)
    configuration.save()
    target = proposals.update_target(
        configuration, merged(configuration.observed, patch), Change.Verb.UPDATE
    )
    return services.change_submit(
        author=author, kind=proposals.KIND, verb=Change.Verb.UPDATE, title="t", reason="r",
        targets=[target],
    )  # fmt: skip


@pytest.mark.parametrize("adopted", [True, False])
@pytest.mark.parametrize(
    ("before", "patch", "expected"),
    [
        ({}, {"suspend": True}, {"suspend": "warn"}),
        ({"suspend": True}, {"suspend": False}, {"resume": "warn"}),
        ({}, {"kustomizations": {"infra": {"prune": False}}}, {"prune_off": "warn"}),
        (
            {"kustomizations": {"infra": {"prune": False}}},
            {"kustomizations": {"infra": {"prune": True}}},
            {"prune_on": "bad"},
        ),
        ({}, {"kustomizations": {"infra": {"path": "./other"}}}, {"path": "bad"}),
        ({}, {"kustomizations": {"infra": {"force": True}}}, {"force_on": "warn"}),
        (
            {},
            {"kustomizations": {"infra": None, "apps": {"dependsOn": []}}},
            {"removed_prunes": "bad", "removed_needed": "warn"},
        ),
        (
            {},
            {"gitRepository": {"repositoryRef": {"branch": None, "tag": "v1"}}},
            {"reference_kind": "warn"},
        ),
        ({}, {"gitRepository": {"url": "https://example.org/x"}}, {"source_url": "bad"}),
        (
            {},
            {"sourceKind": "OCIRepository", "ociRepository": {"url": "oci://x/y"}},
            {"source_kind": "bad"},
        ),
        ({}, {"gitRepository": {"syncIntervalInSeconds": 60}}, {}),
    ],
)
def test_risks_of_an_edit(
    before: dict[str, Any],
    patch: dict[str, Any],
    expected: dict[str, str],
    adopted: bool,
    author: User,
    configuration: Configuration,
) -> None:
    configuration.adopted = adopted
    change = update(author, configuration, patch, **before)
    assert {risk.code: risk.tone for risk in risks_of(change)} == expected


def create(author: User, cluster: Cluster) -> Change:
    draft = services.draft_create(author=author, cluster=cluster)
    draft.data = tutorial_data()
    draft.save()
    return services.draft_submit(draft=draft, reason="r")


def test_risks_of_a_new_one(author: User, bare_cluster: Cluster) -> None:
    bare_cluster.connectivity = "Offline"
    bare_cluster.save()
    codes = {risk.code for risk in risks_of(create(author, bare_cluster))}
    assert codes == {"cluster_offline", "extension_first", "cluster_scope"}


def test_risks_and_facts_of_a_delete(author: User, configuration: Configuration) -> None:
    configuration.object_count = 41
    configuration.compliance = "Non-Compliant"
    configuration.save()
    change = services.configuration_propose(
        author=author, configuration=configuration, verb=Change.Verb.DELETE, reason="r"
    )
    assert {risk.code for risk in risks_of(change)} == {"delete_prunes", "failing_now"}
    ObjectStatus.objects.create(
        configuration=configuration,
        position=0,
        kind="GitRepository",
        name="cluster-config",
        compliance="Compliant",
    )
    assert [fact.value for fact in facts_of(change)] == ["1", "2", "41", "1"]


def test_facts_of_an_edit(author: User, configuration: Configuration) -> None:
    change = update(author, configuration, {"kustomizations": {"apps": {"path": "./x"}}})
    assert [fact.value for fact in facts_of(change)][:2] == ["1", "1"]


def test_what_nobody_observed_yet_cannot_be_edited(
    author: User, configuration: Configuration
) -> None:
    from changes.errors import ChangeRefused

    for values, code in (
        ({"observed": {}}, "not_observed"),
        ({"provisioning_state": "Updating"}, "in_flight"),
    ):
        Configuration.objects.filter(pk=configuration.pk).update(**values)
        configuration.refresh_from_db()
        with pytest.raises(ChangeRefused) as refusal:
            services.draft_edit(author=author, configuration=configuration)
        assert refusal.value.code == code
        Configuration.objects.filter(pk=configuration.pk).update(observed=TUTORIAL)


def test_an_edit_without_a_difference_is_refused(
    author: User, configuration: Configuration
) -> None:
    from changes.errors import ChangeRefused

    draft = services.draft_edit(author=author, configuration=configuration)
    with pytest.raises(ChangeRefused) as refusal:
        services.draft_submit(draft=draft, reason="r")
    assert refusal.value.code == "nothing_changed"


def test_an_edit_builds_on_what_is_live_now(author: User, configuration: Configuration) -> None:
    draft = services.draft_edit(author=author, configuration=configuration)
    configuration.observed = {**configuration.observed, "somethingNew": 1}
    configuration.save()
    draft.refresh_from_db()
    assert services.draft_moved(draft)
    assert services.draft_properties(draft)["somethingNew"] == 1


# --- The kind -------------------------------------------------------------------------------
def step(method: str, properties: dict[str, Any] | None, base: Any = None) -> Step:
    return Step(
        kind=KIND.name, verb="update", resource_id="/x", resource_name="x", method=method,
        api_version="2025-04-01", base=base, base_digest="",
        body=None if properties is None else {"properties": properties},
    )  # fmt: skip


def live(**changes: Any) -> Live:
    return Live(resource={"properties": {**TUTORIAL, **changes}}, digest="")


@pytest.mark.parametrize(
    ("one", "found", "expected"),
    [
        (step("PUT", TUTORIAL), live(), True),
        (step("PUT", TUTORIAL), live(suspend=True), False),
        (step("PUT", TUTORIAL), Live(resource=None, digest=""), False),
        (step("PATCH", {"suspend": True}, {"properties": TUTORIAL}), live(suspend=True), True),
        (step("PATCH", {"suspend": True}, {"properties": TUTORIAL}), live(), False),
        (step("DELETE", None), Live(resource=None, digest=""), True),
        (step("DELETE", None), live(), False),
        (
            step("PUT", {**TUTORIAL, "configurationProtectedSettings": {"a": {"$secret": "1"}}}),
            live(),
            False,
        ),
    ],
)
def test_whether_it_is_as_wanted(one: Step, found: Live, expected: bool) -> None:
    assert KIND.is_desired(one, found) is expected


@pytest.mark.parametrize(
    ("method", "state", "terminal", "succeeded"),
    [
        ("PUT", "Succeeded", True, True),
        ("PUT", "Failed", True, False),
        ("PUT", "Creating", False, False),
        ("DELETE", "Deleting", False, False),
        ("DELETE", "Failed", True, False),
        ("DELETE", "Succeeded", True, False),
    ],
)
def test_the_resource_is_judged(method: str, state: str, terminal: bool, succeeded: bool) -> None:
    properties = None if method == "DELETE" else TUTORIAL
    found = KIND.settled(step(method, properties), live(provisioningState=state))
    assert (found.terminal, found.succeeded) == (terminal, succeeded)


# --- Advice ---------------------------------------------------------------------------------
CLONE = "failed to checkout and determine revision: unable to clone 'https://x': "


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('dry-run failed: no matches for kind "H" in version "helm.toolkit.fluxcd.io/v2beta1"',
         "api_version_removed"),
        ('X/a/x dry-run failed: no matches for kind "X" in version "example.org/v1"',
         "kind_unknown"),
        (CLONE + 'couldn\'t find remote ref "refs/heads/b"', "branch_missing"),
        (CLONE + 'couldn\'t find remote ref "refs/tags/b"', "tag_missing"),
        (CLONE + "authentication required: Repository not found.", "source_sign_in"),
        (CLONE + "repository not found: x", "source_absent"),
        (CLONE + "ssh: handshake failed: knownhosts: key mismatch", "host_key"),
        (CLONE + "dial tcp: lookup git.example on 10.0.0.10:53: no such host", "host_unknown"),
        ("failed to get secret 'a/b': secrets \"b\" not found", "secret_missing"),
        ("kustomization path not found: stat /tmp/kustomization-1/x: no such file", "path_missing"),
        ("kustomize build failed: accumulating resources", "build"),
        ("post build failed for 'ConfigMap.v1.[noGrp]/x'", "substitute"),
        ('apps "x" is forbidden: User "system:serviceaccount:a:flux-applier" cannot patch',
         "forbidden"),
        ("can't access 'GitRepository/a/b', cross-namespace references have been blocked",
         "cross_namespace"),
        ('dry-run failed, error: admission webhook "x" does not support dry run', "webhook"),
        ("Invalid value: x: field is immutable", "immutable"),
        ("invalid chart reference: no 'x' chart with version matching '9' found", "chart_absent"),
        ("Helm install failed for release a/b with chart c@1: context deadline exceeded",
         "helm_timeout"),
        ("health check failed after 10m0s: timeout waiting for: [x]", "health"),
        ("(MissingSubscriptionRegistration) The subscription is not registered", "not_registered"),
        ("something that nobody has seen before", None),
    ],
)  # fmt: skip
def test_known_failures_have_advice(message: str, code: str | None) -> None:
    found = advice_for(message)
    assert (found.code if found else None) == code
