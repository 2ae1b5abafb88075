"""From a draft to what author and reviewers read: asked, taken by a worker, shown, outdated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.models import User
from audit.models import AuditEvent
from changes.errors import ChangeRefused
from changes.models import Change
from clusters.models import Cluster
from configurations import services as drafts
from configurations.kind import FluxConfigurationKind
from configurations.models import Draft, SourceCheck
from configurations.source_checks import services
from configurations.source_checks.versions import best_tag
from live.services import versions
from tests.configurations.source_checks.conftest import DEPLOYMENT, Repository, git
from tests.configurations.test_compose import tutorial_data

pytestmark = pytest.mark.django_db
RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: app
  namespace: shop
  annotations: {clusterconfig.azure.com/use-managed-source: "true"}
spec: {}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: charts, namespace: shop}
spec: {provider: azure}
"""


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids for which a worker was rung."""
    rung: list[int] = []
    monkeypatch.setattr(services, "_ring", rung.append)
    return rung


@pytest.fixture
def draft(author: User, cluster: Cluster, repository: Repository) -> Draft:
    """The tutorial's draft on a repository that has both paths."""
    repository.write({"infrastructure/a.yaml": DEPLOYMENT, "apps/staging/b.yaml": RELEASE})
    repository.commit()
    made = drafts.draft_create(author=author, cluster=cluster)
    made.data = tutorial_data()
    made.data["source"]["url"] = repository.url
    made.save()
    return made


def done(draft: Draft) -> SourceCheck:
    """The newest check after a worker took it."""
    check = services.check_request(draft=draft, by=draft.author)
    services.check_run(check.pk)
    check.refresh_from_db()
    return check


def submitted(draft: Draft) -> Change:
    return drafts.draft_submit(draft=draft, reason="because")


def codes(change: Change) -> set[str]:
    return {risk.code for risk in FluxConfigurationKind().risks(change)}


# --- What is found --------------------------------------------------------------------------
def test_a_good_source_lists_what_each_kustomization_would_deploy(
    draft: Draft, repository: Repository
) -> None:
    check = done(draft)
    assert (check.state, check.failed) == ("done", False)
    assert check.commit == git(repository.folder, "rev-parse", "HEAD")
    found = {it["name"]: [each["kind"] for each in it["objects"]] for it in check.report["results"]}
    assert found == {"apps": ["HelmRelease", "OCIRepository"], "infra": ["Deployment"]}


def test_a_missing_branch_and_a_missing_path_are_told_apart(
    draft: Draft, repository: Repository
) -> None:
    git(repository.folder, "rm", "-r", "--quiet", "apps")
    repository.commit()
    results = {it["name"]: it["problem"] for it in done(draft).report["results"]}
    assert results["infra"] is None
    assert results["apps"]["code"] == "path_missing"
    draft.data["source"]["branch"] = "absent"
    draft.save()
    assert done(draft).report["problem"]["code"] == "reference_missing"


def test_a_tag_and_a_range_of_tags_are_found(draft: Draft, repository: Repository) -> None:
    commit = git(repository.folder, "rev-parse", "HEAD")
    for tag in ("v1.0.0", "v1.2.0", "v2.0.0"):
        git(repository.folder, "tag", "--annotate", "--message", "m", tag)
    draft.data["source"] |= {"reference_type": "tag", "tag": "v2.0.0"}
    draft.save()
    assert done(draft).report["commit"] == commit
    draft.data["source"] |= {"reference_type": "semver", "semver": ">=1.0.0 <2.0.0"}
    draft.save()
    assert done(draft).report["reference"] == "v1.2.0"
    draft.data["source"] |= {"reference_type": "commit", "commit": commit}
    draft.save()
    assert done(draft).report["commit"] == commit


@pytest.mark.parametrize(
    ("wanted", "tag"),
    [
        ("1.x", "1.9.1"), ("~1.2", "v1.2.4"), ("^0.3", "0.3.9"), (">=1.0.0 <2.0.0", "1.9.1"),
        ("*", "v2.0.0"), ("1.2.3", "1.2.3"), ("<1.0.0 || ~1.2", "v1.2.4"),
        ("1.2.0 - 1.2.3", "1.2.3"), (">=2.1.0-0", "2.1.0-rc.1"), ("v1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_a_range_chooses_as_flux_does(wanted: str, tag: str) -> None:
    tags = ["0.3.9", "1.2.3", "v1.2.4", "1.9.1", "v2.0.0", "2.1.0-rc.1", "latest"]
    assert best_tag(wanted, tags) == tag


def test_a_kustomization_with_an_error_fails_with_what_kubectl_says(
    draft: Draft, repository: Repository
) -> None:
    repository.write({"infrastructure/kustomization.yaml": "resources: [gone.yaml]"})
    repository.commit()
    check = done(draft)
    problem = next(it["problem"] for it in check.report["results"] if it["name"] == "infra")
    assert check.failed
    assert problem["code"] == "build"
    assert "gone.yaml" in problem["detail"]
    assert "/tmp" not in problem["detail"]


# --- The states -----------------------------------------------------------------------------
def test_asking_rings_once_and_is_recorded(
    draft: Draft, no_broker: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        first = services.check_request(draft=draft, by=draft.author)
        second = services.check_request(draft=draft, by=draft.author)
    assert first == second
    assert no_broker == [first.pk]
    assert AuditEvent.objects.filter(action="source.check_asked").count() == 1


def test_a_lost_bell_is_rung_again_by_the_sweep(draft: Draft, no_broker: list[int]) -> None:
    check = services.check_request(draft=draft, by=draft.author)
    services.check_sweep()
    assert no_broker == []
    SourceCheck.objects.update(rung_at=timezone.now() - timedelta(minutes=1))
    services.check_sweep()
    assert no_broker == [check.pk]


def test_a_check_whose_worker_died_says_so_and_can_be_asked_again(draft: Draft) -> None:
    check = services.check_request(draft=draft, by=draft.author)
    held = services.check_claim(check.pk)
    assert held is not None
    assert services.check_claim(check.pk) is None, "two workers never do the same"
    SourceCheck.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    again = services.check_request(draft=draft, by=draft.author)
    assert again != check
    services.check_sweep()
    check.refresh_from_db()
    assert check.state == "lost"
    assert not services.check_finish(held, {"results": [], "problem": None}), "it comes too late"
    check.refresh_from_db()
    assert check.state == "lost"


def test_an_error_of_ours_ends_the_check(draft: Draft, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_subject: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(services.checking, "checked", broken)
    check = done(draft)
    assert check.report["problem"]["code"] == "crashed"
    assert "canary" not in str(check.report)


def test_one_person_has_at_most_three_under_way(draft: Draft) -> None:
    for branch in ("a", "b", "c"):
        draft.data["source"]["branch"] = branch
        draft.save()
        services.check_request(draft=draft, by=draft.author)
    draft.data["source"]["branch"] = "d"
    draft.save()
    with pytest.raises(ChangeRefused) as refusal:
        services.check_request(draft=draft, by=draft.author)
    assert refusal.value.code == "too_many"


@pytest.mark.parametrize(
    "source",
    [
        {"url": "https://unlisted.example/a"},
        {"url": "ssh://git@github.com/a/b"},
        {"repository_type": "private", "sign_in": "local", "local_auth_ref": "key"},
    ],
)
def test_what_cannot_be_checked_is_refused_at_once(draft: Draft, source: dict[str, str]) -> None:
    draft.data["source"] |= source
    draft.save()
    subject = services.checking.subject_of(drafts.draft_properties(draft))
    assert services.why_not(subject)
    with pytest.raises(ChangeRefused):
        services.check_request(draft=draft, by=draft.author)


def test_nothing_is_checked_unless_it_is_switched_on(draft: Draft, checks: dict[str, Any]) -> None:
    checks["on"] = False
    with pytest.raises(ChangeRefused) as refusal:
        services.check_request(draft=draft, by=draft.author)
    assert refusal.value.code == "off"


# --- What people see ------------------------------------------------------------------------
def test_the_wizard_keeps_what_was_typed_and_follows_the_check(
    draft: Draft, client_of: Callable[[User], Client]
) -> None:
    client = client_of(draft.author)
    review = reverse("configurations:draft_review", args=[draft.pk])
    before = versions(f"draft:{draft.pk}")
    answer = client.post(
        reverse("configurations:draft_check", args=[draft.pk]), {"reason": "typed"}, follow=True
    )
    assert "typed" in answer.content.decode()
    assert "waits for a worker" in answer.content.decode()
    services.check_run(SourceCheck.objects.get().pk)
    assert versions(f"draft:{draft.pk}") != before
    part = client.get(review, headers={"HX-Request": "true", "HX-Target": "source-check"})
    text = part.content.decode()
    assert "<html" not in text
    assert "Everything was found, and builds." in text
    assert "HelmRelease/shop/app" in text


def test_a_check_of_what_was_altered_since_is_shown_as_outdated(
    draft: Draft, client_of: Callable[[User], Client]
) -> None:
    done(draft)
    draft.data["source"]["branch"] = "other"
    draft.save()
    page = client_of(draft.author).get(reverse("configurations:draft_review", args=[draft.pk]))
    assert "was altered since" in page.content.decode()
    draft.refresh_from_db()
    assert "source_check_stale" in codes(submitted(draft))


def test_without_the_setting_the_wizard_does_not_speak_of_it(
    draft: Draft, checks: dict[str, Any], client_of: Callable[[User], Client]
) -> None:
    checks["on"] = False
    page = client_of(draft.author).get(reverse("configurations:draft_review", args=[draft.pk]))
    assert "Check the source" not in page.content.decode()


def test_reviewers_see_the_result_with_its_commit(
    draft: Draft, approver: User, client_of: Callable[[User], Client]
) -> None:
    check = done(draft)
    change = submitted(draft)
    page = client_of(approver).get(reverse("changes:detail", args=[change.pk])).content.decode()
    assert check.commit in page
    assert "HelmRelease/shop/app" in page
    assert "use-managed-source" in page
    assert "source_check_failed" not in codes(change)


def test_a_failing_check_is_a_risk_and_no_block(draft: Draft, repository: Repository) -> None:
    git(repository.folder, "rm", "-r", "--quiet", "apps")
    repository.commit()
    done(draft)
    change = submitted(draft)
    assert "source_check_failed" in codes(change)
    assert change.state == Change.State.IN_REVIEW


@pytest.mark.parametrize(("enabled", "warned"), [("true", False), ("false", True), (None, True)])
def test_provider_azure_asks_for_workload_identity(
    draft: Draft, cluster: Cluster, enabled: str | None, warned: bool
) -> None:
    cluster.extension.settings = {"workloadIdentity.enable": enabled} if enabled else {}
    cluster.extension.save()
    done(draft)
    assert ("workload_identity_off" in codes(submitted(draft))) is warned


def test_a_check_that_ends_after_submit_moves_the_page_of_the_change(draft: Draft) -> None:
    check = services.check_request(draft=draft, by=draft.author)
    change = submitted(draft)
    before = versions(f"change:{change.pk}")
    services.check_run(check.pk)
    assert versions(f"change:{change.pk}") != before
    assert FluxConfigurationKind().evidence(change)[0].tone == "good"
