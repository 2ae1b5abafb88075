"""The filter of the history: everything of it is in the address."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_lazy as _

from audit import links
from audit.actions import GROUPS, names_in
from audit.models import AuditEvent


class MomentField(forms.CharField):
    """A date, or a date and a time in UTC; cleaned to an aware datetime or None.

    `end_of_day`: a date alone means its last moment, so that "to" includes the day.
    """

    def __init__(self, *, end_of_day: bool = False, **kwargs: Any) -> None:
        self.end_of_day = end_of_day
        super().__init__(widget=forms.TextInput({"type": "date", "class": "w-auto"}), **kwargs)

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            if day := parse_date(text):
                return datetime.combine(day, time.max if self.end_of_day else time.min, tzinfo=UTC)
            moment = parse_datetime(text)
        except ValueError:
            moment = None
        if moment is None:
            raise forms.ValidationError(_("Enter a date such as 2026-11-24, or with a time."))
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class HistoryFilter(forms.Form):
    """Who, what, which object, where and when; each may be left out."""

    actor = forms.CharField(label=_("Who"), required=False, max_length=200)
    action = forms.CharField(required=False, max_length=80, widget=forms.HiddenInput)
    object = forms.CharField(label=_("Object"), required=False, max_length=300)
    since = MomentField(label=_("From"), required=False)
    until = MomentField(label=_("To"), required=False, end_of_day=True)

    def __init__(self, data: Any, *, environments: Sequence[tuple[int, str]]) -> None:
        super().__init__(data)
        choices = [("", _("All environments")), *((str(pk), name) for pk, name in environments)]
        self.fields["environment"] = forms.ChoiceField(
            label=_("Environment"),
            required=False,
            choices=choices,
            widget=forms.Select({"class": "w-auto pe-5"}),
        )
        self.full_clean()

    def apply(self, events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        """Only what the filter asks for; a field that is not understood finds nothing."""
        if self.errors:
            return events.none()
        wanted = self.cleaned_data
        if actor := wanted["actor"]:
            events = events.filter(
                **({"actor_id": int(actor)} if _is_id(actor) else {"actor_name__icontains": actor})
            )
        if action := wanted["action"]:
            names = names_in(action) if action in GROUPS else [action]
            events = events.filter(action__in=names)
        if wanted["object"]:
            events = _about(events, wanted["object"])
        if wanted["environment"]:
            events = events.filter(environment_id=int(wanted["environment"]))
        if wanted["since"]:
            events = events.filter(at__gte=wanted["since"])
        if wanted["until"]:
            events = events.filter(at__lte=wanted["until"])
        return events

    @property
    def is_narrow(self) -> bool:
        """Whether anything is filtered at all."""
        return bool(self.errors) or any(self.cleaned_data.values())


def _about(events: QuerySet[AuditEvent], text: str) -> QuerySet[AuditEvent]:
    """ "change:7" is one object, "change" its type, and anything else a part of a name."""
    object_type, colon, object_id = text.partition(":")
    if colon and object_type.isidentifier():
        return events.filter(object_type=object_type, object_id=object_id)
    if text in links.types():
        return events.filter(object_type=text)
    return events.filter(object_name__icontains=text)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
