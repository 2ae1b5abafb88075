"""Submit, review, withdraw, expire: four eyes by every route."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from access.models import Environment, RoleAssignment, User
from audit.models import AuditEvent
from changes.errors import ChangeRefused
from changes.models import Change, Operation, Outbox, Review
from changes.services import (
    change_expire_due,
    change_submit,
    change_withdraw,
    comment_add,
    review_add,
)
from live.models import ScopeVersion
from tests.factories.access import make_user
from tests.factories.changes import approve, make_change, step, submit, target

pytestmark = pytest.mark.django_db


@pytest.fixture
def change(author: User, environment: Environment) -> Change:
    return submit(author, target(environment))


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(ChangeRefused) as refused:
        act()
    return refused.value.code


def verdict(who: User, change: Change, verdict: str = "approve", **values: str) -> Review:
    return review_add(
        reviewer=who,
        change=change,
        verdict=verdict,
        comment=values.get("comment", ""),
        digest=values.get("digest", change.digest),
    )


def actions(change: Change) -> list[str]:
    return list(
        AuditEvent.objects.filter(change_id=change.pk)
        .order_by("id")
        .values_list("action", flat=True)
    )


# --- Submit -------------------------------------------------------------------------------
def test_submitting_freezes_the_content(change: Change, environment: Environment) -> None:
    assert change.state == "in_review"
    assert change.content["targets"][0]["steps"][0]["body"] == {"name": "/r/one", "size": 1}
    assert len(change.digest) == 64
    event = AuditEvent.objects.get(action="change.submitted")
    assert (event.change_id, event.environment_id, event.cluster_id) == (
        change.pk,
        environment.pk,
        1,
    )
    assert event.detail["digest"] == change.digest
    scopes = set(ScopeVersion.objects.values_list("scope", flat=True))
    assert {"changes", f"change:{change.pk}", "cluster:1"} <= scopes


def test_who_may_not_propose_there_is_refused(
    viewer: User, outsider: User, environment: Environment
) -> None:
    for who in (viewer, outsider):
        assert code_of(lambda who=who: submit(who, target(environment))) == "no_right"
    assert not Change.objects.exists()


def test_one_target_out_of_reach_refuses_all(
    author: User, environment: Environment, elsewhere: Environment
) -> None:
    targets = [target(environment), target(elsewhere, step("/r/two"))]
    assert code_of(lambda: submit(author, *targets)) == "no_right"


def test_a_target_outside_any_environment_needs_a_right_everywhere(
    author: User, admin: User
) -> None:
    assert code_of(lambda: submit(author, target(None))) == "no_right"
    assert submit(admin, target(None)).state == "in_review"


def test_a_change_without_a_write_is_refused(author: User, environment: Environment) -> None:
    assert code_of(lambda: submit(author)) == "no_targets"


def test_the_same_target_twice_is_refused(author: User, environment: Environment) -> None:
    twice = [target(environment), target(environment)]
    assert code_of(lambda: submit(author, *twice)) == "target_twice"


def test_a_kind_that_nobody_registered_is_refused(author: User, environment: Environment) -> None:
    def act() -> Change:
        return change_submit(
            author=author,
            kind="unheard",
            verb="create",
            title="t",
            reason="r",
            targets=[target(environment)],
        )

    assert code_of(act) == "kind_unknown"


def test_a_resource_is_asked_for_by_one_open_change(
    author: User, approver: User, environment: Environment, change: Change
) -> None:
    with pytest.raises(ChangeRefused, match=f"#{change.pk}") as refused:
        submit(author, target(environment, step("/r/other"), step("/r/one")))
    assert refused.value.code == "resource_taken"
    approve(approver, change)
    assert code_of(lambda: submit(author, target(environment))) == "resource_taken"


def test_a_resource_is_free_again_when_the_change_has_ended(
    author: User, environment: Environment, change: Change
) -> None:
    change_withdraw(actor=author, change=change, reason="")
    assert submit(author, target(environment)).state == "in_review"


# --- Four eyes ----------------------------------------------------------------------------
def test_an_approval_by_somebody_else_writes_operations_event_and_bell(
    approver: User, author: User, environment: Environment
) -> None:
    change = submit(author, target(environment, step("/r/a"), step("/r/b")))
    verdict(approver, change, comment="fine")
    change.refresh_from_db()
    assert change.state == "approved"
    assert change.approved_at is not None
    assert [(o.sequence, o.state, o.digest) for o in change.operations.all()] == [
        (0, "waiting", change.digest),
        (1, "waiting", change.digest),
    ]
    assert actions(change) == ["change.submitted", "change.approved"]
    first = change.operations.get(sequence=0)
    assert list(Outbox.objects.values_list("topic", "key")) == [("operation", str(first.pk))]


@pytest.mark.parametrize("what", ["approve", "reject", "request_changes"])
def test_nobody_reviews_their_own_change(environment: Environment, admin: User, what: str) -> None:
    change = submit(admin, target(environment))
    assert code_of(lambda: verdict(admin, change, what)) == "own_change"
    change.refresh_from_db()
    assert change.state == "in_review"
    assert not Review.objects.exists()


def test_who_wrote_a_part_does_not_review_it(
    author: User, approver: User, admin: User, environment: Environment
) -> None:
    change = submit(author, target(environment), editors=[approver])
    assert code_of(lambda: verdict(approver, change)) == "own_change"
    verdict(admin, change)
    change.refresh_from_db()
    assert change.state == "approved"


def test_an_editor_of_an_earlier_revision_stays_one(
    author: User, approver: User, environment: Environment
) -> None:
    change = submit(author, target(environment), editors=[approver])
    change = submit(author, target(environment), revises=change)
    assert code_of(lambda: verdict(approver, change)) == "own_change"


@pytest.mark.parametrize("what", ["approve", "reject", "request_changes"])
def test_who_may_not_review_there_is_refused(
    viewer: User, outsider: User, change: Change, what: str, environment: Environment
) -> None:
    second_author = make_user("author", environment)
    for who in (viewer, outsider, second_author):
        assert code_of(lambda who=who: verdict(who, change, what)) == "no_right"


def test_an_approver_of_one_environment_does_not_approve_for_two(
    admin: User, approver: User, environment: Environment, elsewhere: Environment
) -> None:
    change = submit(admin, target(environment), target(elsewhere, step("/r/two")))
    assert code_of(lambda: verdict(approver, change)) == "no_right"


def test_the_same_person_counts_once(
    author: User, approver: User, admin: User, change: Change
) -> None:
    Change.objects.filter(pk=change.pk).update(approvals_needed=2)
    verdict(approver, change)
    change.refresh_from_db()
    assert change.state == "in_review"
    assert code_of(lambda: verdict(approver, change)) == "already_approved"
    verdict(admin, change)
    change.refresh_from_db()
    assert change.state == "approved"


def test_a_role_dropped_between_two_approvals_uncounts_the_first(
    author: User, approver: User, admin: User, change: Change, environment: Environment
) -> None:
    Change.objects.filter(pk=change.pk).update(approvals_needed=2)
    verdict(approver, change)
    RoleAssignment.objects.filter(user=approver).delete()
    verdict(admin, change)
    change.refresh_from_db()
    assert change.state == "in_review"
    verdict(make_user("approver", environment), change)
    change.refresh_from_db()
    assert change.state == "approved"


def test_rights_cached_on_the_user_do_not_count(approver: User, change: Change) -> None:
    from access.rights import Act, rights_of

    assert rights_of(approver).may_anywhere(Act.REVIEW)
    RoleAssignment.objects.filter(user=approver).delete()
    assert code_of(lambda: verdict(approver, change)) == "no_right"


def test_somebody_who_was_deactivated_reviews_nothing(approver: User, change: Change) -> None:
    User.objects.filter(pk=approver.pk).update(is_active=False)
    assert code_of(lambda: verdict(approver, change)) == "no_right"


def test_a_stale_page_approves_nothing(
    author: User, approver: User, change: Change, environment: Environment
) -> None:
    shown = change.digest
    revised = submit(author, target(environment, step(body={"size": 99})), revises=change)
    assert code_of(lambda: verdict(approver, revised, digest=shown)) == "digest_moved"
    revised.refresh_from_db()
    assert revised.state == "in_review"
    assert not Review.objects.exists()


def test_a_change_that_is_decided_is_not_decided_again(
    approver: User, admin: User, change: Change
) -> None:
    verdict(approver, change)
    for what in ("approve", "reject", "request_changes"):
        assert code_of(lambda what=what: verdict(admin, change, what)) == "not_in_review"


def test_rejecting_ends_it(approver: User, change: Change) -> None:
    verdict(approver, change, "reject", comment="not on a Friday")
    change.refresh_from_db()
    assert change.state == "rejected"
    assert not Operation.objects.exists()
    assert actions(change)[-1] == "change.rejected"


# --- Revisions ----------------------------------------------------------------------------
def test_request_changes_returns_it_and_a_revision_needs_new_approvals(
    author: User, approver: User, admin: User, change: Change, environment: Environment
) -> None:
    Change.objects.filter(pk=change.pk).update(approvals_needed=2)
    verdict(approver, change)
    verdict(admin, change, "request_changes", comment="smaller")
    change.refresh_from_db()
    assert change.state == "draft"
    again = submit(author, target(environment), revises=change, title="Create a smaller one")
    assert (again.pk, again.revision, again.title) == (change.pk, 2, "Create a smaller one")
    assert again.digest != change.digest, "even the same content is a new revision"
    assert again.state == "in_review"
    Change.objects.filter(pk=change.pk).update(approvals_needed=2)
    verdict(approver, again)
    again.refresh_from_db()
    assert again.state == "in_review", "the approval of the first revision does not count"
    assert "change.revised" in actions(change)


def test_only_the_author_revises(
    author: User, approver: User, change: Change, environment: Environment
) -> None:
    def act() -> Change:
        return submit(approver, target(environment), revises=change)

    assert code_of(act) == "not_revisable"


def test_an_approved_change_is_not_revised(
    author: User, approver: User, change: Change, environment: Environment
) -> None:
    approve(approver, change)
    assert code_of(lambda: submit(author, target(environment), revises=change)) == "not_revisable"


# --- Withdraw, expire, comment ------------------------------------------------------------
def test_the_author_withdraws_until_something_is_sent(
    author: User, approver: User, change: Change
) -> None:
    approve(approver, change)
    change_withdraw(actor=author, change=change, reason="no need")
    change.refresh_from_db()
    assert change.state == "withdrawn"
    assert change.operations.get().state == "superseded"
    assert code_of(lambda: change_withdraw(actor=author, change=change, reason="")) == (
        "move_refused"
    )


def test_others_do_not_withdraw_it_but_an_admin_does(
    approver: User, admin: User, change: Change
) -> None:
    act = lambda who: change_withdraw(actor=who, change=change, reason="")  # noqa: E731
    assert code_of(lambda: act(approver)) == "no_right"
    assert act(admin).state == "withdrawn"


@pytest.mark.parametrize("state", ["draft", "in_review", "approved"])
def test_what_nobody_used_in_time_expires(
    author: User, approver: User, change: Change, state: str
) -> None:
    if state == "approved":
        approve(approver, change)
    elif state == "draft":
        verdict(approver, change, "request_changes")
    assert change_expire_due() == 0
    Change.objects.filter(pk=change.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert change_expire_due() == 1
    change.refresh_from_db()
    assert change.state == "expired"
    assert not change.operations.filter(state="waiting").exists()
    assert actions(change)[-1] == "change.expired"


def test_an_approval_stands_for_72_hours(approver: User, change: Change) -> None:
    approve(approver, change)
    assert change.expires_at - timezone.now() > timedelta(hours=71)
    assert change.expires_at - timezone.now() <= timedelta(hours=72)


def test_comments_come_at_any_time_from_those_who_take_part(
    author: User, approver: User, viewer: User, outsider: User, change: Change
) -> None:
    comment_add(author=author, change=change, comment="because")
    approve(approver, change)
    review_add(reviewer=approver, change=change, verdict="comment", comment="thanks", digest="any")
    assert [r.comment for r in Review.objects.filter(verdict="comment")] == ["because", "thanks"]
    for who in (viewer, outsider):
        act = lambda who=who: comment_add(author=who, change=change, comment="x")  # noqa: E731
        assert code_of(act) == "no_right"
    assert code_of(lambda: comment_add(author=author, change=change, comment="  ")) == "empty"


def test_a_refused_act_leaves_no_trace(
    approver: User, author: User, environment: Environment, change: Change
) -> None:
    events, bumps = AuditEvent.objects.count(), list(ScopeVersion.objects.values_list("version"))
    for act in (
        lambda: verdict(author, change),
        lambda: verdict(approver, change, digest="0" * 64),
        lambda: submit(author, target(environment)),
    ):
        code_of(act)
    assert AuditEvent.objects.count() == events
    assert list(ScopeVersion.objects.values_list("version")) == bumps


def test_visibility_needs_every_target(
    admin: User,
    approver: User,
    outsider: User,
    environment: Environment,
    elsewhere: Environment,
) -> None:
    both = submit(admin, target(environment), target(elsewhere, step("/r/two")))
    here = make_change(admin, environment)
    assert set(Change.objects.visible_to(approver)) == {here}
    assert set(Change.objects.visible_to(outsider)) == set()
    assert set(Change.objects.visible_to(admin)) == {both, here}
