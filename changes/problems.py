"""Each problem of an operation in words: what it means and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from changes.apply import STOPPING
from changes.models import Operation, Problem

Text = str | Promise


@dataclass(frozen=True)
class Explanation:
    """What a problem means, what to do, and the name of the page where to do it ("" for here)."""

    means: Text
    next_step: Text
    url_name: str = ""
    link: Text = ""

    @property
    def url(self) -> str:
        try:
            return reverse(self.url_name) if self.url_name else ""
        except NoReverseMatch:
            return ""


_CONNECTIONS = ("clusters:connections", _("Open the connections"))

EXPLANATIONS: dict[str, Explanation] = {
    Problem.WRONG_CONNECTION: Explanation(
        _("The connection names a tenant, a subscription or an address that is not right."),
        _("Correct the connection. The operation goes on by itself."),
        *_CONNECTIONS,
    ),
    Problem.SIGN_IN_LOST: Explanation(
        _("Azure no longer accepts the sign-in of the connection."),
        _("Renew its credential. The operation goes on by itself."),
        *_CONNECTIONS,
    ),
    Problem.UNREACHABLE: Explanation(
        _("Azure Resource Manager did not answer, or answered with a fault of its own."),
        _(
            "Nothing to do: it is tried again, at most 5 min apart. If it lasts, check the network "
            "and the state of Azure."
        ),
        *_CONNECTIONS,
    ),
    Problem.THROTTLED: Explanation(
        _("Too many requests at once. Azure has said when to come back."),
        _("Nothing to do: it goes on at that time."),
    ),
    Problem.BUSY: Explanation(
        _("Azure still works on an earlier write to this resource."),
        _("Nothing to do: it is tried again until the other one has ended."),
    ),
    Problem.PROVIDER_NOT_REGISTERED: Explanation(
        _("The subscription has not registered the resource provider that this write needs."),
        _("Test the connection, register it from what the test finds, then try again."),
        *_CONNECTIONS,
    ),
    Problem.FORBIDDEN: Explanation(
        _("The portal's identity lacks the role for this write, or a policy denies it."),
        _(
            "Give the identity the role on the cluster, or ask who keeps the policy, then try "
            "again."
        ),
    ),
    Problem.CLUSTER_GONE: Explanation(
        _("The cluster does not exist any more, or the portal can no longer see it."),
        _("Nothing was written. Withdraw what still waits for it."),
        "clusters:list",
        _("Open the clusters"),
    ),
    Problem.BASE_MOVED: Explanation(
        _(
            "Somebody or something altered the resource after the approval. What was reviewed is "
            "not what is there."
        ),
        _("Review the same change against what is there now."),
    ),
    Problem.REFUSED: Explanation(
        _("Azure refused the request; its own words are below."),
        _("Correct what it names in a new change. If the cause was outside, try again."),
    ),
    Problem.OPERATION_FAILED: Explanation(
        _("Azure took the write and could not carry it out; its own words are below."),
        _("Remove the cause on the cluster, then try again."),
    ),
    Problem.STUCK: Explanation(
        _(
            "Azure took the write more than 30 min ago and does not say that it ended. Often the "
            "cluster is offline or its agent does not run."
        ),
        _("Check that the cluster is connected. Azure keeps the write for 48 h."),
    ),
    Problem.DIGEST_MISMATCH: Explanation(
        _("The stored content is not what was approved. Nothing was sent."),
        _("Tell an admin: somebody altered the database. The history shows what was approved."),
    ),
    Problem.RIGHTS_LOST: Explanation(
        _("Somebody who approved may no longer approve here, so the approval does not count."),
        _("Have it reviewed again by somebody else."),
    ),
    Problem.APPROVAL_EXPIRED: Explanation(
        _("An approval stands for 72 h. It ran out before this was sent."),
        _("Have it reviewed again."),
    ),
    Problem.SECRET_LOST: Explanation(
        _("A secret of this write is gone, or none of the portal's keys opens it."),
        _("Enter the secret again in a new change, or bring the key back and try again."),
    ),
    Problem.FAULT: Explanation(
        _("Fluxgate itself made a mistake; the log has the details. Nothing is lost."),
        _("It is tried again. Tell whoever runs the portal if it lasts."),
    ),
}


def explanation_of(operation: Operation) -> Explanation | None:
    """The words for the operation's problem; None where there is none."""
    return EXPLANATIONS.get(operation.problem)


def needs_review_again(operation: Operation) -> bool:
    """Whether only a new review lets this operation go on."""
    return operation.state == Operation.State.FAILED and operation.problem in STOPPING
