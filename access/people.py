"""Pages on which admins keep people, their roles and the environments."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import services
from access.checks import person, requires_everywhere
from access.errors import AccessRefusedError
from access.forms import EnvironmentForm, PersonForm, RoleForm
from access.models import Environment, Role, RoleAssignment, User
from access.rights import Act
from live.pages import render_page

_PAGE = 50
_administers = requires_everywhere(Act.ADMINISTER)


@require_safe
@_administers
def people(request: HttpRequest) -> HttpResponseBase:
    """Everybody with their roles, by user name; `q` searches, `after` is the keyset of a page."""
    q, after = request.GET.get("q", "").strip(), request.GET.get("after", "")

    def context() -> dict[str, object]:
        found = User.objects.order_by("username").prefetch_related("assignments__environment")
        if q:
            found = found.filter(Q(username__icontains=q) | Q(display_name__icontains=q))
        page = list(found.filter(username__gt=after)[: _PAGE + 1])
        return {
            "people": page[:_PAGE],
            "next_after": page[_PAGE - 1].username if len(page) > _PAGE else "",
            "after": after,
            "q": q,
        }

    return render_page(
        request, "access/people.html", context, parts=("people",), scopes=("people",)
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@_administers
def person_add(request: HttpRequest) -> HttpResponseBase:
    """Somebody new; the answer shows the initial password, which nothing keeps in the clear."""
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            somebody, password = services.person_create(by=person(request), **form.cleaned_data)
        except AccessRefusedError as refusal:
            form.add_error("username", str(refusal))
        else:
            return _shown_once(request, somebody, password)
    return render(request, "access/person_add.html", {"form": form})


@require_safe
@_administers
def person_detail(request: HttpRequest, pk: int) -> HttpResponseBase:
    """One person: roles, and what an admin can do."""
    somebody = get_object_or_404(User, pk=pk)
    context = {
        "person": somebody,
        "assignments": somebody.assignments.select_related("environment"),
        "form": RoleForm(),
    }
    return render(request, "access/person.html", context)


@require_POST
@_administers
def role_give(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Give one role."""
    somebody, form = get_object_or_404(User, pk=pk), RoleForm(request.POST)
    if form.is_valid():
        try:
            services.role_give(
                by=person(request),
                person=somebody,
                role=Role(form.cleaned_data["role"]),
                environment=form.cleaned_data["environment"],
            )
        except AccessRefusedError as refusal:
            messages.error(request, str(refusal))
    else:
        messages.error(request, _("Choose a role and where it holds. Nothing was changed."))
    return redirect("access:person", somebody.pk)


@require_POST
@_administers
def role_take(request: HttpRequest, pk: int, assignment_id: int) -> HttpResponseBase:
    """Take one role away."""
    assignment = get_object_or_404(
        RoleAssignment.objects.select_related("user", "environment"), pk=assignment_id, user_id=pk
    )
    try:
        services.role_take(by=person(request), assignment=assignment)
    except AccessRefusedError as refusal:
        messages.error(request, str(refusal))
    return redirect("access:person", pk)


@require_POST
@_administers
def person_deactivate(request: HttpRequest, pk: int) -> HttpResponseBase:
    """End all sessions of a person and refuse new ones."""
    somebody = get_object_or_404(User, pk=pk)
    try:
        services.person_deactivate(by=person(request), person=somebody)
    except AccessRefusedError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(
            request, _("%(name)s is deactivated. All sessions have ended.") % {"name": somebody}
        )
    return redirect("access:person", pk)


@require_POST
@never_cache
@_administers
def person_renew_password(request: HttpRequest, pk: int) -> HttpResponseBase:
    """A new initial password, shown in the answer and nowhere else."""
    somebody = get_object_or_404(User, pk=pk)
    password = services.person_renew_password(by=person(request), person=somebody)
    return _shown_once(request, somebody, password)


@require_safe
@_administers
def environments(request: HttpRequest) -> HttpResponseBase:
    """All environments."""
    return render(request, "access/environments.html", {"environments": Environment.objects.all()})


@require_http_methods(["GET", "HEAD", "POST"])
@_administers
def environment_add(request: HttpRequest) -> HttpResponseBase:
    """A new environment."""
    form = EnvironmentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = services.environment_create(by=person(request), **form.cleaned_data)
        messages.success(request, _("Environment %(name)s is added.") % {"name": made})
        return redirect("access:environments")
    return render(request, "access/environment.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@_administers
def environment_edit(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Rename it, give it another tone or description."""
    environment = get_object_or_404(Environment, pk=pk)
    name = environment.name  # the form writes into the instance
    form = EnvironmentForm(request.POST or None, instance=environment)
    if request.method == "POST" and form.is_valid():
        services.environment_change(
            by=person(request), environment=environment, **form.cleaned_data
        )
        messages.success(request, _("Environment %(name)s is changed.") % {"name": name})
        return redirect("access:environments")
    return render(request, "access/environment.html", {"form": form, "name": name})


def _shown_once(request: HttpRequest, somebody: User, password: str) -> HttpResponseBase:
    return render(request, "access/password_once.html", {"person": somebody, "password": password})
