"""The wizard: one URL a step; what is typed is kept on every post, valid or not."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.middleware import HtmxDetails

from access.rights import Act
from changes.access_checks import user_of
from changes.diff import diff
from changes.errors import ChangeRefused
from changes.faces import download_of, open_one
from clusters.extension_choice import InstallChoiceForm, choice_form, posted_choice
from clusters.extension_settings.versions import known
from clusters.models import Cluster
from configurations import services
from configurations.access_checks import change_for, cluster_for, configuration_for, draft_for
from configurations.models import Draft
from configurations.source_checks.services import check_request
from configurations.source_checks.showing import draft_check as draft_check_of
from configurations.specification.wire import desired_part, spoken
from configurations.wizard import pages, rows
from configurations.wizard.clusters import cluster_search
from configurations.wizard.forms import (
    BasicsForm,
    CheckedForm,
    KustomizationForm,
    ReasonForm,
)
from configurations.wizard.local_secret import local_secret
from configurations.wizard.source_fields import KINDS
from configurations.wizard.source_form import (
    posted_secrets,
    posted_values,
    removed_secret,
    secret_refusal,
)
from live.pages import render_page


# --- Begin, resume, discard -----------------------------------------------------------------
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Choose the cluster, by searching; then a draft begins."""
    if request.method == "POST":
        cluster = cluster_for(request, _number(request.POST.get("cluster")))
        draft = services.draft_create(author=user_of(request), cluster=cluster)
        return redirect(pages.step_url(draft, "basics"))
    context = cluster_search(
        user_of(request), request.GET.get("q", ""), chosen=request.GET.get("cluster", "")
    )
    drafts = _own_drafts(request)[:5]
    return render(request, "configurations/wizard/new.html", {**context, "drafts": drafts})


@require_GET
def draft_list(request: HttpRequest) -> HttpResponse:
    """One's own drafts that were not submitted yet."""
    context = {"drafts": _own_drafts(request)[:100]}
    return render(request, "configurations/wizard/drafts.html", context)


@require_POST
def draft_discard(request: HttpRequest, pk: int) -> HttpResponse:
    services.draft_discard(draft=draft_for(request, pk))
    messages.success(request, _("The draft is discarded. Nothing was changed in Azure."))
    return redirect("configurations:drafts")


@require_GET
def draft_face(request: HttpRequest, pk: int) -> HttpResponse:
    """What the draft asks for in the words of one other tool, as a file."""
    context = pages.faces(draft_for(request, pk), request.GET.get("face", ""))
    if not context:
        raise Http404
    return download_of(open_one(context["faces"], context["face"]))


@require_POST
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Begin a change of this configuration."""
    configuration = configuration_for(request, pk, Act.PROPOSE)
    try:
        draft = services.draft_edit(author=user_of(request), configuration=configuration)
    except ChangeRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("configurations:detail", pk)
    return redirect(pages.step_url(draft, "source"))


@require_POST
def revise(request: HttpRequest, pk: int) -> HttpResponse:
    """Reopen a change of one's own as a draft."""
    change = change_for(request, pk)
    try:
        draft = services.draft_revise(author=user_of(request), change=change)
    except ChangeRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("changes:detail", pk)
    return redirect(pages.step_url(draft, "source"))


# --- Basics and Source ----------------------------------------------------------------------
@require_http_methods(["GET", "POST"])
def draft_basics(request: HttpRequest, pk: int) -> HttpResponse:
    draft = draft_for(request, pk)
    if draft.purpose == Draft.Purpose.EDIT:
        return _fixed_step(request, draft, "basics")
    return _form_step(request, draft, "basics", BasicsForm, taken=pages.taken_names(draft))


@require_http_methods(["GET", "POST"])
def draft_source(request: HttpRequest, pk: int) -> HttpResponse:
    draft = draft_for(request, pk)
    if draft.data["source"]["source_kind"] not in KINDS:
        return _fixed_step(request, draft, "source")
    if request.method == "POST":
        _save_source(request, draft)
        if not is_htmx(request) or request.POST.get("go"):
            return _go(request, draft, "source", pages.is_sound(draft, "source"))
    judged = "source" in draft.data["saved"] and not is_htmx(request)
    context = {
        **pages.page(request, draft, "source"),
        "form": pages.source_form(draft, judged),
        "local": local_secret(
            draft.data["source"],
            services.draft_properties(draft),
            draft.data["basics"]["namespace"],
        ),
    }
    return render(request, "configurations/wizard/source.html", context)


def _save_source(request: HttpRequest, draft: Draft) -> None:
    """Keep the texts, and each secret that can be one of its field."""
    typed = posted_secrets(request.POST)
    refused = {
        field: why for field, value in typed.items() if (why := secret_refusal(field, value))
    }
    services.draft_save_source(
        draft=draft,
        by=user_of(request),
        values={**posted_values(request.POST), **_fixes(request)},
        typed={field: value for field, value in typed.items() if field not in refused},
        refused=refused,
        removed=removed_secret(request.POST),
    )


def _form_step(
    request: HttpRequest, draft: Draft, step: str, form_class: type[CheckedForm], **options: Any
) -> HttpResponse:
    """Show the step, or keep what was posted and go where the button says."""
    if request.method == "POST":
        values = {**form_class(request.POST, **options).values(), **_fixes(request)}
        services.draft_save(draft=draft, step=step, change=lambda saved: {**saved, **values})
        sound = form_class(draft.data[step], **options).is_valid()
        if not is_htmx(request) or request.POST.get("go"):
            return _go(request, draft, step, sound)
    # What is kept while somebody types is not judged yet.
    judged = step in draft.data["saved"] and not is_htmx(request)
    data = draft.data[step]
    form = form_class(data, **options) if judged else form_class(initial=data, **options)
    context = {**pages.page(request, draft, step), "form": form}
    return render(request, f"configurations/wizard/{step}.html", context)


def _fixed_step(request: HttpRequest, draft: Draft, step: str) -> HttpResponse:
    """A step of an edit in which nothing can be altered."""
    if request.method == "POST":
        return _go(request, draft, step, sound=True)
    context = {**pages.page(request, draft, step), "form": None}
    return render(request, f"configurations/wizard/{step}.html", context)


def _go(request: HttpRequest, draft: Draft, step: str, sound: bool) -> HttpResponse:
    go = request.POST.get("go", "")
    if go == "previous":
        return redirect(pages.step_url(draft, pages.previous_step(step)))
    if go == "later":
        messages.success(request, _("The draft is kept."))
        return redirect("configurations:drafts")
    if go == "next" and sound:
        return redirect(pages.step_url(draft, pages.next_step(step)))
    return redirect(pages.step_url(draft, step))


def _fixes(request: HttpRequest) -> dict[str, str]:
    """A suggested value that was taken: the button fix_<field>."""
    return {
        name.removeprefix("fix_"): str(value)
        for name, value in request.POST.items()
        if name.startswith("fix_")
    }


# --- Kustomizations -------------------------------------------------------------------------
@require_http_methods(["GET", "POST"])
def draft_kustomizations(request: HttpRequest, pk: int) -> HttpResponse:
    draft = draft_for(request, pk)
    name = services.draft_name(draft)
    if request.method == "POST":
        services.draft_save(
            draft=draft,
            step="kustomizations",
            change=lambda saved: _posted_rows(request, saved, name),
        )
        data = draft.data["kustomizations"]
        if request.POST.get("go") or not is_htmx(request):
            sound = data["open"] is None and not _row_violations(draft)
            return _go(request, draft, "kustomizations", sound)
    data = draft.data["kustomizations"]
    asked = "kustomizations" in draft.data["saved"] and data["open"] is None
    context = {
        **pages.page(request, draft, "kustomizations"),
        "rows": data["rows"],
        "open_key": data["open"]["key"] if data["open"] else None,
        "form": rows.editor(data, name),
        "is_new_row": data["open"] is not None and not data["open"]["key"],
        "order": pages.order_of(draft),
        "violations": _row_violations(draft) if asked else [],
    }
    return render(request, "configurations/wizard/kustomizations.html", context)


def _posted_rows(request: HttpRequest, data: dict[str, Any], name: str) -> dict[str, Any]:
    """The rows after what was typed, and after what the pressed button asks for."""
    if "editor" in request.POST:
        posted = KustomizationForm(request.POST).values()
        data = rows.typed(data, {**posted, **_fixes(request)})
    action, go = request.POST.get("do", ""), request.POST.get("go", "")
    if action == "enter":  # the Enter key in a field
        action, go = ("save", "") if data["open"] is not None else ("", "next")
    if go == "next" and data["open"] is not None:
        action = "cancel" if rows.is_untouched(data["open"]) else "save"
    return rows.act(data, action, name)


def _row_violations(draft: Draft) -> list[Any]:
    found = services.draft_violations(draft)
    return [it for it in found if pages.step_of(it) == "kustomizations"]


# --- Review ---------------------------------------------------------------------------------
@require_http_methods(["GET", "POST"])
def draft_review(request: HttpRequest, pk: int) -> HttpResponse:
    draft = draft_for(request, pk)
    form = ReasonForm(request.POST or None, initial=draft.data["review"])
    if request.method == "POST":
        _save_review(request, draft)
        if request.POST.get("go") in {"previous", "later"}:
            return _go(request, draft, "review", sound=False)
        if request.POST.get("go") == "submit" and form.is_valid():
            try:
                change = services.draft_submit(draft=draft, reason=form.cleaned_data["reason"])
            except ChangeRefused as refusal:
                form.add_error(None, str(refusal))
            else:
                return redirect("changes:detail", change.pk)
    parts = {"source-check": "configurations/wizard/_check.html"}
    template = "configurations/wizard/review.html"
    return render_page(request, template, lambda: _review_page(request, draft, form), parts=parts)


def _save_review(request: HttpRequest, draft: Draft) -> None:
    values: dict[str, Any] = {"reason": request.POST.get("reason", "")}
    if "install-settings" in request.POST:
        values["install"] = posted_choice(request.POST)
    services.draft_save(draft=draft, step="review", change=lambda saved: {**saved, **values})


@require_POST
def draft_check(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep what was typed and have a worker check the source."""
    draft = draft_for(request, pk)
    if "reason" in request.POST:
        _save_review(request, draft)
    try:
        check_request(draft=draft, by=user_of(request))
    except ChangeRefused as refusal:
        messages.error(request, str(refusal))
    return redirect(pages.step_url(draft, "review") + "#source-check")


def _review_page(request: HttpRequest, draft: Draft, form: ReasonForm) -> dict[str, Any]:
    base = services.draft_base(draft)
    body = services.draft_properties(draft)
    problems = [
        {"violation": it, "url": pages.step_url(draft, pages.step_of(it))}
        for it in services.draft_violations(draft)
    ]
    return {
        **pages.page(request, draft, "review"),
        "form": form,
        "body": {"properties": body},
        "problems": problems,
        "moved": services.draft_moved(draft),
        "diff": diff(spoken(desired_part(base)), body) if base is not None else None,
        "extension_missing": draft.purpose == Draft.Purpose.CREATE and _lacks_extension(draft),
        "install": _install_form(draft),
        "known": known(),
        "order": pages.order_of(draft),
        "check_scope": f"draft:{draft.pk}",
        **draft_check_of(draft),
    }


def _install_form(draft: Draft) -> InstallChoiceForm | None:
    """How the extension is installed first, where it is missing."""
    if (
        draft.cluster is None
        or draft.purpose != Draft.Purpose.CREATE
        or not _lacks_extension(draft)
    ):
        return None
    return choice_form(draft.cluster, draft.data["review"].get("install") or {})


# --- Parts ----------------------------------------------------------------------------------
def _own_drafts(request: HttpRequest) -> Any:
    drafts = Draft.objects.filter(author=user_of(request), submitted_change_id=None)
    return drafts.select_related("cluster", "configuration")


def _lacks_extension(draft: Draft) -> bool:
    cluster = draft.cluster
    return (
        cluster is not None
        and not Cluster.objects.filter(pk=cluster.pk, extension__isnull=False).exists()
    )


def is_htmx(request: HttpRequest) -> bool:
    """Whether htmx asks: then the page itself is the answer, of which it takes parts."""
    return bool(HtmxDetails(request))


def _number(value: str | None) -> int:
    return int(value) if value and value.isdecimal() and len(value) < 19 else 0
