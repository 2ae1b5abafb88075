"""The page on which admins say by tags which clusters belong to which environment."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from access.checks import person, requires_everywhere
from access.rights import Act
from clusters.environments import Rule, Rules, rules_replace
from clusters.forms import RuleForm
from clusters.models import Cluster, EnvironmentRule

_administers = requires_everywhere(Act.ADMINISTER)
NAMED = 5  # clusters named beside a rule


@require_safe
@_administers
def rules(request: HttpRequest) -> HttpResponseBase:
    """The rules in their order, each with the clusters that it decides."""
    return render(request, "clusters/rules.html", _context(RuleForm()))


def _context(form: RuleForm) -> dict[str, Any]:
    rows = list(EnvironmentRule.objects.select_related("environment"))
    ordered = Rules.current()
    decided: list[list[str]] = [[] for _row in rows]
    rest: list[str] = []
    by_hand = 0
    clusters = Cluster.objects.filter(gone_at=None).values_list(
        "name", "tags", "environment_by_hand"
    )
    for name, tags, hand in clusters:
        rule = ordered.rule_for(tags)
        if hand:
            by_hand += 1
        elif rule is None:
            rest.append(name)
        else:
            decided[ordered.rules.index(rule)].append(name)
    return {
        "form": form,
        "rows": [
            {"rule": row, "count": len(names), "names": names[:NAMED]}
            for row, names in zip(rows, decided, strict=True)
        ],
        "rest": {"count": len(rest), "names": rest[:NAMED]},
        "by_hand": by_hand,
    }


@require_POST
@_administers
def rule_add(request: HttpRequest) -> HttpResponseBase:
    """One rule more, at the end."""
    form = RuleForm(request.POST)
    current = list(Rules.current().rules)
    if form.is_valid():
        added = Rule(
            tag=form.cleaned_data["tag"].strip(),
            value=form.cleaned_data["value"].strip(),
            environment_id=form.cleaned_data["environment"].pk,
        )
        if not any((it.tag, it.value) == (added.tag, added.value) for it in current):
            return _replaced(request, [*current, added])
        form.add_error("value", _("There is a rule for this tag and value."))
    return render(request, "clusters/rules.html", _context(form), status=422)


@require_POST
@_administers
def rule_move(request: HttpRequest, position: int) -> HttpResponseBase:
    """A rule before the one above it: the first that matches wins."""
    current = list(Rules.current().rules)
    if 0 < position < len(current):
        current[position - 1], current[position] = current[position], current[position - 1]
    return _replaced(request, current)


@require_POST
@_administers
def rule_remove(request: HttpRequest, position: int) -> HttpResponseBase:
    """One rule less."""
    current = list(Rules.current().rules)
    del current[position : position + 1]
    return _replaced(request, current)


def _replaced(request: HttpRequest, wanted: list[Rule]) -> HttpResponseBase:
    moved = rules_replace(by=person(request), rules=wanted)
    words = ngettext(
        "The rules are saved. %(n)d cluster moved.",
        "The rules are saved. %(n)d clusters moved.",
        moved,
    )
    messages.success(request, words % {"n": moved})
    return redirect("clusters:rules")
