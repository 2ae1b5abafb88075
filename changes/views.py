"""The pages of changes: a list that is an inbox, and one page where a change is decided."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from access.rights import Act
from changes.access_checks import change_for, operation_for, user_of
from changes.content import targets_of
from changes.errors import ChangeRefused
from changes.faces import card_of, download_of, faces_of, open_one
from changes.forms import CommentForm, FilterForm, ReviewForm, WithdrawForm
from changes.inbox import inbox
from changes.kinds import registered
from changes.models import Change
from changes.page import ChangePage
from changes.services import (
    change_review_again,
    change_withdraw,
    comment_add,
    operation_retry,
    review_add,
)
from live.pages import render_page

PARTS = ("withdraw", "decision", "evidence", "approvals", "targets", "story")
FORBIDDEN = {"no_right", "own_change"}


@require_GET
def change_list(request: HttpRequest) -> HttpResponse:
    """The changes that the reader may see, as an inbox."""
    form = FilterForm(request.GET)
    form.is_valid()  # what is not understood is left out of cleaned_data and filters nothing
    wanted = form.cleaned_data
    tab = wanted.get("tab") or "open"
    query = request.GET.copy()
    for name in ("before", "after"):
        query.pop(name, None)
    without_tab = query.copy()
    without_tab.pop("tab", None)

    def context() -> dict[str, object]:
        return {
            "form": form,
            "tab": tab,
            "tabs": FilterForm.TABS,
            "inbox": inbox(user_of(request), {**wanted, "tab": tab}),
            "kinds": [(name, kind.label()) for name, kind in sorted(registered().items())],
            "query": query.urlencode(),
            "without_tab": without_tab.urlencode(),
            "is_narrow": any(wanted.get(name) for name in ("state", "kind", "author", "q")),
        }

    return render_page(
        request, "changes/list.html", context, parts=("changes-table",), scopes=("changes",)
    )


@require_GET
def change_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One change: what is asked, what it would do, who decides, how it goes."""
    change = change_for(request, pk)

    def context() -> dict[str, object]:
        return page_context(request, change, ReviewForm(initial={"digest": change.digest}))

    return render_page(
        request, "changes/detail.html", context, parts=PARTS, scopes=(f"change:{change.pk}",)
    )


def page_context(request: HttpRequest, change: Change, form: ReviewForm) -> dict[str, object]:
    """What the page of a change is rendered with."""
    page = ChangePage(change, user_of(request), all_lines=request.GET.get("lines") == "all")
    if not page.decision.may_review:
        form.fields["comment"].help_text = ""
    return {
        "page": page,
        "change": change,
        "form": form,
        "scope": f"change:{change.pk}",
        "written": card_of(
            change, target=_number(request, "target"), code=request.GET.get("face", "")
        ),
    }


@require_GET
def change_face(request: HttpRequest, pk: int) -> HttpResponse:
    """One step in one form, as a file."""
    change = change_for(request, pk)
    targets = targets_of(change.content)
    place, number = _number(request, "target"), _number(request, "step")
    if place >= len(targets) or number >= len(targets[place].steps):
        raise Http404
    faces = faces_of(targets[place])[number]
    return download_of(open_one(faces, request.GET.get("face", "")))


def _number(request: HttpRequest, name: str) -> int:
    """A place in a list, 0 where the address has none that can be one."""
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 9 else 0


@require_POST
def change_review(request: HttpRequest, pk: int) -> HttpResponse:
    """Approve, request changes or reject exactly what was shown."""
    change = change_for(request, pk, Act.REVIEW)
    form = ReviewForm(request.POST)
    if not form.is_valid():
        return render(
            request, "changes/detail.html", page_context(request, change, form), status=422
        )
    given = form.cleaned_data
    try:
        review_add(
            reviewer=user_of(request),
            change=change,
            verdict=given["verdict"],
            comment=given["comment"],
            digest=given["digest"],
        )
    except ChangeRefused as refused:
        if refused.code == "digest_moved":
            return _moved(request, change, given["comment"], str(refused))
        return _refused(request, change, refused)
    said = {
        "approve": _("You approved #%(pk)d."),
        "request_changes": _("You requested changes to #%(pk)d."),
        "reject": _("You rejected #%(pk)d."),
    }[given["verdict"]]
    messages.success(request, said % {"pk": change.pk})
    return redirect("changes:detail", pk=change.pk)


def _moved(request: HttpRequest, change: Change, comment: str, text: str) -> HttpResponse:
    """The page as it is now, with what was typed; the next click is for what it shows."""
    change.refresh_from_db()
    form = ReviewForm(initial={"digest": change.digest, "comment": comment})
    context = {**page_context(request, change, form), "moved": text}
    return render(request, "changes/detail.html", context, status=409)


@require_POST
def change_comment(request: HttpRequest, pk: int) -> HttpResponse:
    """Say something about the change."""
    change = change_for(request, pk, Act.PROPOSE, Act.REVIEW)
    form = CommentForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("The comment is empty or too long. Nothing was recorded."))
        return redirect("changes:detail", pk=change.pk)
    return _act(
        request,
        change,
        lambda: comment_add(
            author=user_of(request), change=change, comment=form.cleaned_data["comment"]
        ),
        _("Your comment is recorded."),
    )


@require_POST
def change_take_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Withdraw the change before anything is sent."""
    change = change_for(request, pk)
    form = WithdrawForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    return _act(
        request,
        change,
        lambda: change_withdraw(actor=user_of(request), change=change, reason=reason),
        _("The change is withdrawn. Nothing was sent to Azure."),
    )


@require_POST
def change_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a stopped change in review against what is live now."""
    change = change_for(request, pk, Act.PROPOSE)
    return _act(
        request,
        change,
        lambda: change_review_again(actor=user_of(request), change=change),
        _("The change is in review again, against what is live now."),
    )


@require_POST
def operation_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Try a failed operation again."""
    operation = operation_for(request, pk, Act.PROPOSE)
    return _act(
        request,
        operation.change,
        lambda: operation_retry(actor=user_of(request), operation=operation),
        _("It is tried again."),
    )


def _act(
    request: HttpRequest, change: Change, act: Callable[[], object], done: str
) -> HttpResponse:
    try:
        act()
    except ChangeRefused as refused:
        return _refused(request, change, refused)
    messages.success(request, done)
    return redirect("changes:detail", pk=change.pk)


def _refused(request: HttpRequest, change: Change, refused: ChangeRefused) -> HttpResponse:
    """A missing right is 403; a state that has moved on is told on the page."""
    if refused.code in FORBIDDEN:
        raise PermissionDenied(str(refused)) from refused
    messages.error(request, str(refused))
    return redirect("changes:detail", pk=change.pk)
