"""Forms of the page of workload identity."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from arm import IdentityId, InvalidId
from clusters.federated import ACCOUNTS, Credential
from clusters.forms import ReasonForm

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


def is_guid(text: str) -> bool:
    return bool(_GUID.fullmatch(text))


class ChooseForm(forms.Form):
    """An identity by its ARM id or its client id, chosen from a list or typed."""

    identity = forms.CharField(
        label=gettext_lazy("Another identity"),
        max_length=600,
        help_text=gettext_lazy("Its ARM id, or its client id where the portal cannot read it."),
        widget=forms.TextInput(attrs=_PLAIN),
    )

    def clean_identity(self) -> str:
        typed = str(self.cleaned_data["identity"]).strip()
        if is_guid(typed):
            return typed.lower()
        try:
            return IdentityId.parse(typed).key
        except InvalidId as error:
            raise forms.ValidationError(
                _(
                    "Write an ARM id as /subscriptions/…/userAssignedIdentities/NAME, or a client "
                    "id as 00000000-0000-0000-0000-000000000000."
                )
            ) from error


class WorkloadIdentityForm(ReasonForm):
    """Which controllers sign in as the chosen identity."""

    field_order = ["accounts", "tenant_id", "reason"]

    accounts = forms.MultipleChoiceField(
        label=gettext_lazy("Service accounts"),
        choices=[(it, it) for it in ACCOUNTS],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=gettext_lazy("Those of controllers that reach sources or registries in Azure."),
    )
    tenant_id = forms.CharField(
        label=gettext_lazy("Tenant id of the identity"),
        max_length=64,
        required=False,
        widget=forms.TextInput(attrs=_PLAIN),
    )

    def __init__(self, *args: Any, writes_credentials: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["tenant_id" if writes_credentials else "accounts"]

    def clean_tenant_id(self) -> str:
        typed = str(self.cleaned_data["tenant_id"]).strip()
        if typed and not is_guid(typed):
            raise forms.ValidationError(_("Write an id as 00000000-0000-0000-0000-000000000000."))
        return typed

    def clean_accounts(self) -> Sequence[str]:
        chosen: list[str] = self.cleaned_data["accounts"]
        if not chosen:
            raise forms.ValidationError(_("Choose at least one service account."))
        return chosen


class EndForm(ReasonForm):
    """Which credentials go, and whether the setting goes off."""

    field_order = ["turn_off", "names", "reason"]

    turn_off = forms.BooleanField(
        label=gettext_lazy("Turn workload identity off in the extension, first"), required=False
    )

    def __init__(
        self, *args: Any, credentials: Iterable[Credential], is_on: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **{"prefix": "end", **kwargs})
        choices = [(it["name"], f"{it['name']} ({it['subject']})") for it in credentials]
        self.fields["names"] = forms.MultipleChoiceField(
            label=gettext_lazy("Credentials to delete"),
            choices=choices,
            initial=[name for name, _label in choices],
            widget=forms.CheckboxSelectMultiple,
            required=False,
        )
        self.fields["turn_off"].initial = is_on
        if not is_on:
            del self.fields["turn_off"]
