"""The way through the wizard, as a browser without JavaScript posts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from access.models import User
from changes.content import targets_of
from changes.models import Change
from clusters.models import Cluster
from configurations import services
from configurations.models import Configuration, Draft
from configurations.specification.wire import normalised
from tests.factories.configurations import TUTORIAL, TUTORIAL_URL

BASICS = {"name": "cluster-config", "namespace": "cluster-config", "scope": "cluster"}
SOURCE = {
    "source_kind": "GitRepository",
    "url": TUTORIAL_URL,
    "reference_type": "branch",
    "branch": "main",
    "repository_type": "public",
    "sync_interval": "10",
    "sync_timeout": "10",
}
INFRA = {
    "editor": "1",
    "name": "infra",
    "path": "./infrastructure",
    "sync_interval": "10",
    "sync_timeout": "10",
    "prune": "on",
    "wait": "on",
}
APPS = {**INFRA, "name": "apps", "path": "./apps/staging", "depends_on": ["infra"]}


@pytest.fixture
def wizard(author: User, cluster: Cluster, client_of: Callable[[User], Client]) -> Wizard:
    return Wizard(client_of(author), cluster)


class Wizard:
    """A person with a browser: posts forms and follows where they lead."""

    def __init__(self, client: Client, cluster: Cluster) -> None:
        self.client = client
        self.cluster = cluster

    def begin(self) -> Draft:
        response = self.client.post(reverse("configurations:new"), {"cluster": self.cluster.pk})
        draft = Draft.objects.latest("pk")
        assert response.url == self.url(draft, "basics")
        return draft

    def url(self, draft: Draft, step: str) -> str:
        return reverse(f"configurations:draft_{step}", args=[draft.pk])

    def post(self, draft: Draft, step: str, **values: Any) -> Any:
        return self.client.post(self.url(draft, step), values, follow=True)

    def fill(self, draft: Draft) -> None:
        """The tutorial, up to the review."""
        self.post(draft, "basics", **BASICS, go="next")
        self.post(draft, "source", **SOURCE, go="next")
        for row in (INFRA, APPS):
            self.post(draft, "kustomizations", do="add")
            self.post(draft, "kustomizations", **row, do="save")
        self.post(draft, "kustomizations", go="next")


def test_the_tutorial_becomes_a_change_with_the_body_that_az_would_send(wizard: Wizard) -> None:
    draft = wizard.begin()
    wizard.fill(draft)
    response = wizard.client.post(
        wizard.url(draft, "review"), {"reason": "The tutorial", "go": "submit"}
    )
    change = Change.objects.get()
    assert response.url == reverse("changes:detail", args=[change.pk])
    assert (change.kind, change.verb, change.reason) == (
        "flux_configuration", "create", "The tutorial",
    )  # fmt: skip
    [target] = targets_of(change.content)
    [step] = target.steps
    assert step.method == "PUT"
    assert step.base_digest == ""
    assert step.resource_id == (
        f"{wizard.cluster.arm_id}/providers/microsoft.kubernetesconfiguration"
        "/fluxconfigurations/cluster-config"
    )
    assert normalised(step.body["properties"]) == normalised(TUTORIAL)
    draft.refresh_from_db()
    assert draft.submitted_change_id == change.pk


def test_the_extension_is_installed_first_where_it_is_missing(
    author: User, bare_cluster: Cluster, client_of: Callable[[User], Client]
) -> None:
    wizard = Wizard(client_of(author), bare_cluster)
    draft = wizard.begin()
    wizard.fill(draft)
    review = wizard.client.get(wizard.url(draft, "review"))
    assert b"installs it first" in review.content
    wizard.post(draft, "review", reason="First one here", go="submit")
    [target] = targets_of(Change.objects.get().content)
    assert [step.kind for step in target.steps] == ["flux_extension", "flux_configuration"]


def test_each_page_has_the_labels_of_the_azure_portal(wizard: Wizard) -> None:
    draft = wizard.begin()
    wizard.fill(draft)
    wizard.post(draft, "kustomizations", do="add")
    pages = {
        "basics": ["Configuration name", "Namespace", "Scope"],
        "source": [
            "Source kind", "Repository URL", "Reference type", "Branch",
            "Sync interval (minutes)", "Sync timeout (minutes)",
        ],
        "kustomizations": [
            "Instance name", "Path", "Sync interval (minutes)", "Sync timeout (minutes)",
            "Retry interval (minutes)", "Prune", "Force", "Depends on",
        ],
    }  # fmt: skip
    for step, labels in pages.items():
        text = wizard.client.get(wizard.url(draft, step)).content.decode()
        for label in labels:
            assert f">{label}</" in text, (step, label)


def test_nothing_typed_is_lost_when_a_step_is_invalid(wizard: Wizard) -> None:
    draft = wizard.begin()
    response = wizard.post(
        draft, "basics", name="Monitoring_Stack", namespace="x y", scope="cluster", go="next"
    )
    text = response.content.decode()
    assert response.request["PATH_INFO"] == wizard.url(draft, "basics")
    assert 'value="Monitoring_Stack"' in text
    assert 'value="x y"' in text
    assert "2 fields to correct" in text
    assert 'name="fix_name" value="monitoring-stack"' in text


def test_a_suggestion_is_taken_by_its_button(wizard: Wizard) -> None:
    draft = wizard.begin()
    wizard.post(
        draft, "basics", name="Monitoring_Stack", namespace="ns", scope="cluster",
        fix_name="monitoring-stack",
    )  # fmt: skip
    draft.refresh_from_db()
    assert draft.data["basics"]["name"] == "monitoring-stack"


def test_a_row_that_breaks_a_rule_stays_open_with_what_was_typed(wizard: Wizard) -> None:
    draft = wizard.begin()
    wizard.fill(draft)
    wizard.post(draft, "kustomizations", do="add")
    row = {**INFRA, "name": "Monitoring_Stack", "path": "../other"}
    response = wizard.post(draft, "kustomizations", **row, do="save")
    text = response.content.decode()
    assert 'value="Monitoring_Stack"' in text
    assert 'value="../other"' in text
    assert 'name="fix_name" value="monitoring-stack"' in text
    response = wizard.post(draft, "kustomizations", **row, fix_name="monitoring-stack")
    assert 'value="../other"' in response.content.decode()
    wizard.post(draft, "kustomizations", **{**row, "name": "monitoring-stack", "path": "./m"},
                do="save")  # fmt: skip
    draft.refresh_from_db()
    assert [it["name"] for it in draft.data["kustomizations"]["rows"]] == [
        "infra", "apps", "monitoring-stack",
    ]  # fmt: skip


def test_a_loop_is_named_and_not_saved(wizard: Wizard) -> None:
    draft = wizard.begin()
    wizard.fill(draft)
    wizard.post(draft, "kustomizations", do="edit:k1")
    response = wizard.post(draft, "kustomizations", **INFRA, depends_on=["apps"], do="save")
    assert "in a circle" in response.content.decode()
    draft.refresh_from_db()
    assert draft.data["kustomizations"]["rows"][0]["depends_on"] == []


def test_a_rename_is_followed_by_who_waits_for_it(wizard: Wizard) -> None:
    draft = wizard.begin()
    wizard.fill(draft)
    wizard.post(draft, "kustomizations", do="edit:k1")
    wizard.post(draft, "kustomizations", **{**INFRA, "name": "base"}, do="save")
    draft.refresh_from_db()
    rows = draft.data["kustomizations"]["rows"]
    assert [(it["name"], it["depends_on"]) for it in rows] == [("base", []), ("apps", ["base"])]


def test_rows_are_moved_and_removed(wizard: Wizard) -> None:
    draft = wizard.begin()
    wizard.fill(draft)
    wizard.post(draft, "kustomizations", do="down:k1")
    draft.refresh_from_db()
    assert [it["name"] for it in draft.data["kustomizations"]["rows"]] == ["apps", "infra"]
    response = wizard.post(draft, "kustomizations", do="remove:k1")
    assert "There is no kustomization “infra”." in response.content.decode()
    response = wizard.post(draft, "kustomizations", go="next")
    assert response.request["PATH_INFO"] == wizard.url(draft, "kustomizations")


def test_the_open_row_is_saved_on_the_way_to_the_review(wizard: Wizard) -> None:
    draft = wizard.begin()
    wizard.post(draft, "basics", **BASICS, go="next")
    wizard.post(draft, "source", **SOURCE, go="next")
    wizard.post(draft, "kustomizations", do="add")
    response = wizard.post(draft, "kustomizations", **INFRA, go="next")
    assert response.request["PATH_INFO"] == wizard.url(draft, "review")


def test_enter_in_a_field_saves_the_row(wizard: Wizard) -> None:
    draft = wizard.begin()
    wizard.post(draft, "kustomizations", do="add")
    wizard.post(draft, "kustomizations", **INFRA, do="enter")
    draft.refresh_from_db()
    assert [it["name"] for it in draft.data["kustomizations"]["rows"]] == ["infra"]


def test_saving_while_typing_keeps_the_row_open(wizard: Wizard) -> None:
    draft = wizard.begin()
    wizard.post(draft, "kustomizations", do="add")
    response = wizard.client.post(
        wizard.url(draft, "kustomizations"), {**INFRA, "name": "half-typ"}, headers={
            "HX-Request": "true", "HX-Target": "twin"
        },
    )  # fmt: skip
    assert response.status_code == 200
    assert 'id="twin"' in response.content.decode()
    draft.refresh_from_db()
    assert draft.data["kustomizations"]["open"]["name"] == "half-typ"
    assert draft.data["kustomizations"]["rows"] == []


def test_choosing_another_kind_of_reference_shows_its_field(wizard: Wizard) -> None:
    draft = wizard.begin()
    values = {**SOURCE, "reference_type": "tag"}
    response = wizard.client.post(
        wizard.url(draft, "source"),
        values,
        headers={"HX-Request": "true", "HX-Target": "reference"},
    )
    text = response.content.decode()
    assert ">Tag</label>" in text
    assert ">Branch</label>" not in text
    assert '<input type="hidden" name="branch" value="main">' in text


def test_submitting_an_invalid_draft_says_what_to_correct(wizard: Wizard) -> None:
    draft = wizard.begin()
    wizard.post(draft, "basics", **BASICS, go="next")
    response = wizard.post(draft, "review", reason="because", go="submit")
    text = response.content.decode()
    assert "To correct first" in text
    assert "gitRepository.url" in text
    assert not Change.objects.exists()


def test_a_reason_is_needed(wizard: Wizard) -> None:
    draft = wizard.begin()
    wizard.fill(draft)
    wizard.post(draft, "review", reason=" ", go="submit")
    assert not Change.objects.exists()


def test_a_draft_can_be_left_and_resumed(wizard: Wizard) -> None:
    draft = wizard.begin()
    response = wizard.post(draft, "basics", **BASICS, go="later")
    assert response.request["PATH_INFO"] == reverse("configurations:drafts")
    assert wizard.url(draft, "basics") in response.content.decode()
    text = wizard.client.get(wizard.url(draft, "basics")).content.decode()
    assert 'value="cluster-config"' in text
    wizard.client.post(reverse("configurations:draft_discard", args=[draft.pk]))
    assert not Draft.objects.exists()


def test_a_name_that_the_cluster_has_is_refused(
    wizard: Wizard, configuration: Configuration
) -> None:
    draft = wizard.begin()
    response = wizard.post(draft, "basics", **BASICS, go="next")
    assert "has a configuration of this name" in response.content.decode()


def test_two_open_changes_for_one_resource_are_refused(wizard: Wizard) -> None:
    for _turn in range(2):
        draft = wizard.begin()
        wizard.fill(draft)
        response = wizard.post(draft, "review", reason="again", go="submit")
    assert "already asks to write" in response.content.decode()
    assert Change.objects.count() == 1


def test_the_clusters_are_searched_and_only_those_where_one_may_propose(
    wizard: Wizard, bare_cluster: Cluster
) -> None:
    from tests.factories.clusters import ClusterFactory

    ClusterFactory(name="hidden-arc")
    text = wizard.client.get(reverse("configurations:new"), {"q": "arc demo"}).content.decode()
    assert "flux-demo-arc" in text
    assert "bare-arc" not in text
    assert "hidden-arc" not in wizard.client.get(reverse("configurations:new")).content.decode()


def test_text_in_a_draft_never_becomes_markup(wizard: Wizard) -> None:
    draft = wizard.begin()
    evil = "<script>alert(1)</script>"
    wizard.post(draft, "basics", name=evil, namespace=evil, scope="cluster", go="next")
    wizard.post(draft, "source", **{**SOURCE, "url": evil, "branch": evil}, go="next")
    wizard.post(draft, "kustomizations", do="add")
    wizard.post(draft, "kustomizations", **{**INFRA, "name": evil, "path": evil}, do="save")
    for step in ("basics", "source", "kustomizations", "review"):
        assert evil not in wizard.client.get(wizard.url(draft, step)).content.decode()


# --- Change what is there -------------------------------------------------------------------
def test_an_edit_begins_with_what_is_live(wizard: Wizard, configuration: Configuration) -> None:
    url = reverse("configurations:edit", args=[configuration.pk])
    response = wizard.client.post(url, follow=True)
    assert f'value="{TUTORIAL_URL}"' in response.content.decode()
    draft = Draft.objects.get()
    assert wizard.client.post(url, follow=True).status_code == 200
    assert Draft.objects.count() == 1  # the open draft is gone on with
    basics = wizard.client.get(wizard.url(draft, "basics")).content.decode()
    assert "cannot be changed" in basics
    assert 'name="namespace"' not in basics
    wizard.post(draft, "source", **{**SOURCE, "branch": "release"}, go="next")
    review = wizard.client.get(wizard.url(draft, "review")).content.decode()
    assert "What changes" in review
    wizard.post(draft, "review", reason="Release", go="submit")
    change = Change.objects.get()
    assert change.verb == "update"
    [step] = change.content["targets"][0]["steps"]
    assert step["body"] == {
        "properties": {"gitRepository": {"repositoryRef": {"branch": "release"}}}
    }


def test_a_change_is_revised_by_its_author_alone(
    wizard: Wizard, approver: User, client_of: Callable[[User], Client]
) -> None:
    draft = wizard.begin()
    wizard.fill(draft)
    wizard.post(draft, "review", reason="First", go="submit")
    change = Change.objects.get()
    url = reverse("configurations:revise", args=[change.pk])
    assert client_of(approver).post(url).status_code == 403
    assert wizard.client.get(url).status_code == 405
    wizard.client.post(url)
    again = Draft.objects.latest("pk")
    assert again.revises_change_id == change.pk
    response = wizard.post(again, "basics", **{**BASICS, "name": "other-name"}, go="next")
    assert response.request["PATH_INFO"] == wizard.url(again, "source")
    wizard.post(again, "review", reason="Second", go="submit")
    change.refresh_from_db()
    assert (change.revision, change.reason) == (2, "Second")
    assert change.content["targets"][0]["steps"][-1]["resource_name"] == "other-name"


# --- Variables and health checks ------------------------------------------------------------
def test_variables_and_the_waiting_become_arms_fields(wizard: Wizard) -> None:
    draft = wizard.begin()
    wizard.post(draft, "basics", **BASICS, go="next")
    wizard.post(draft, "source", **SOURCE, go="next")
    wizard.post(draft, "kustomizations", do="add")
    row = {
        **INFRA,
        "substitute": "region=westeurope\r\nquery=a=b c",
        "substitute_from": "ConfigMap cluster-vars\nSecret more optional",
    }
    del row["wait"]
    wizard.post(draft, "kustomizations", **row, do="save")
    draft.refresh_from_db()
    entry = services.draft_properties(draft)["kustomizations"]["infra"]
    assert entry["wait"] is False
    assert entry["postBuild"] == {
        "substitute": {"region": "westeurope", "query": "a=b c"},
        "substituteFrom": [
            {"kind": "ConfigMap", "name": "cluster-vars"},
            {"kind": "Secret", "name": "more", "optional": True},
        ],
    }
    assert services.draft_violations(draft) == []


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("substitute", "region", "Write name=value"),
        ("substitute", "2nd=x", "it does not begin with a digit"),
        ("substitute", "a=1\na=2", "is there twice"),
        ("substitute_from", "Pod x", "Begin with ConfigMap or Secret"),
        ("substitute_from", "Secret", "Write ConfigMap name"),
        ("substitute_from", "Secret UPPER", "Use the name of a Secret"),
    ],
)
def test_a_wrong_variable_is_named_beside_its_field_and_kept(
    wizard: Wizard, field: str, text: str, message: str
) -> None:
    draft = wizard.begin()
    wizard.post(draft, "basics", **BASICS, go="next")
    wizard.post(draft, "source", **SOURCE, go="next")
    wizard.post(draft, "kustomizations", do="add")
    response = wizard.post(draft, "kustomizations", **{**INFRA, field: text}, do="save")
    page = response.content.decode()
    assert message in page
    assert text.splitlines()[0] in page
    assert 'id="row-more" open' in page
    draft.refresh_from_db()
    assert draft.data["kustomizations"]["rows"] == []


def test_taking_the_variables_out_takes_them_out_of_the_body(
    author: User, configuration: Configuration
) -> None:
    configuration.observed["kustomizations"]["infra"]["postBuild"] = {"substitute": {"a": "1"}}
    configuration.save()
    draft = services.draft_edit(author=author, configuration=configuration)
    row = next(it for it in draft.data["kustomizations"]["rows"] if it["name"] == "infra")
    assert row["substitute"] == "a=1"
    row["substitute"] = ""
    draft.save()
    change = services.draft_submit(draft=draft, reason="No variables any more")
    body = change.content["targets"][0]["steps"][0]["body"]["properties"]
    assert body["kustomizations"]["infra"] == {"postBuild": None}
