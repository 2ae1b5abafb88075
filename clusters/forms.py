"""Forms of connections, environments and proposals."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from access.models import Environment
from arm import custom
from clusters.models import Cluster, Connection

BY_RULE, NOWHERE = "rule", "none"
_SEPARATORS = re.compile(r"[\s,;]+")


class ReasonForm(forms.Form):
    """Why a change is asked for: reviewers and the history read it."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Reviewers and the history show it."),
    )


class AssignForm(forms.Form):
    """The environment of one cluster."""

    environment = forms.ChoiceField(label=_("Environment"))

    def __init__(self, *args: Any, cluster: Cluster, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["environment"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type
        field.choices = [
            (BY_RULE, _("By the rules")),
            (NOWHERE, _("None, by hand")),
            *((str(it.pk), it.name) for it in Environment.objects.all()),
        ]
        by_hand = str(cluster.environment_id or NOWHERE)
        field.initial = by_hand if cluster.environment_by_hand else BY_RULE

    def decision(self) -> dict[str, Any]:
        """The arguments of environments.cluster_assign."""
        chosen = self.cleaned_data["environment"]
        if chosen == BY_RULE:
            return {"environment": None, "by_hand": False}
        if chosen == NOWHERE:
            return {"environment": None, "by_hand": True}
        return {"environment": Environment.objects.get(pk=chosen), "by_hand": True}


class RuleForm(forms.Form):
    """One rule: clusters with this tag belong to this environment."""

    tag = forms.CharField(label=_("Tag"), max_length=512, initial="environment")
    value = forms.CharField(
        label=_("Value"), max_length=256, help_text=_("* stands for any value.")
    )
    environment = forms.ModelChoiceField(
        label=_("Environment"), queryset=Environment.objects.all(), empty_label=None
    )


class ConnectionForm(forms.ModelForm[Connection]):
    """Everything of a connection. The secret goes in and never comes out."""

    subscriptions = forms.CharField(
        label=_("Subscriptions"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("Ids, one a line. Empty: every subscription that the identity sees."),
    )
    secret = forms.CharField(
        label=_("Client secret or certificate password"),
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    class Meta:
        model = Connection
        fields = [
            "name",
            "cloud",
            "arm_endpoint",
            "authority",
            "ca_file",
            "tenant_id",
            "sign_in",
            "client_id",
            "certificate_path",
            "api_version",
            "reads",
        ]
        labels = {
            "name": _("Name"),
            "cloud": _("Cloud"),
            "arm_endpoint": _("Resource Manager endpoint"),
            "authority": _("Sign-in authority"),
            "ca_file": _("Certificate authority file"),
            "tenant_id": _("Tenant id"),
            "sign_in": _("Sign in with"),
            "client_id": _("Client id"),
            "certificate_path": _("Certificate file"),
            "api_version": _("API version"),
            "reads": _("Read the fleet by"),
        }
        help_texts = {
            "arm_endpoint": _("Only for custom endpoints: https://management.example"),
            "authority": _("Only for custom endpoints: host alone, https://login.example"),
            "ca_file": _(
                "PEM file on the portal's host, where the endpoint's own authority signs."
            ),
            "client_id": _("The application's or managed identity's client id."),
            "certificate_path": _("PEM or PFX with its private key, on the portal's host."),
            "api_version": _("2023-05-01 for clouds that lag."),
        }
        widgets = {
            "arm_endpoint": forms.TextInput(attrs={"inputmode": "url", "spellcheck": "false"}),
            "api_version": forms.Select(
                choices=[("2025-04-01", "2025-04-01"), ("2023-05-01", "2023-05-01")]
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["subscriptions"] = "\n".join(self.instance.subscription_ids or [])
        self._had_secret = bool(self.instance.secret_encrypted)
        self._identity = self._identity_of(self.instance)
        self.fields["secret"].help_text = (
            _("One is set. Leave empty to keep it; nobody can read it here.")
            if self._had_secret
            else _("It is kept encrypted, and nobody can read it here.")
        )

    # --- one field at a time ---
    def clean_tenant_id(self) -> str:
        return self._uuid("tenant_id")

    def clean_client_id(self) -> str:
        return self._uuid("client_id")

    def clean_arm_endpoint(self) -> str:
        return self._origin("arm_endpoint")

    def clean_authority(self) -> str:
        return self._origin("authority")

    def clean_ca_file(self) -> str:
        return self._file("ca_file")

    def clean_certificate_path(self) -> str:
        return self._file("certificate_path")

    def clean_api_version(self) -> str:
        value: str = self.cleaned_data["api_version"]
        if value not in {"2025-04-01", "2023-05-01"}:
            raise ValidationError(_("Choose one of the two versions."))
        return value

    def clean_subscriptions(self) -> list[str]:
        found = [it for it in _SEPARATORS.split(self.cleaned_data["subscriptions"]) if it]
        wrong = [it for it in found if not _is_uuid(it)]
        if wrong:
            raise ValidationError(
                _("Not a subscription id: %(ids)s"), params={"ids": ", ".join(wrong[:3])}
            )
        return sorted({str(uuid.UUID(it)) for it in found})

    # --- fields that belong together ---
    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if values.get("cloud") == Connection.Cloud.CUSTOM:
            self._need(["arm_endpoint", "authority"], _("Custom endpoints need this."))
        elif values.get("cloud"):
            for name in ("arm_endpoint", "authority"):
                if values.get(name):
                    self.add_error(name, _("Only for custom endpoints. Clear it."))
        way = values.get("sign_in")
        if way in {Connection.SignIn.SECRET, Connection.SignIn.CERTIFICATE}:
            self._need(["tenant_id", "client_id"], _("This way to sign in needs it."))
        if way == Connection.SignIn.CERTIFICATE:
            self._need(["certificate_path"], _("This way to sign in needs it."))
        if way == Connection.SignIn.SECRET and not values.get("secret"):
            if not self._had_secret:
                self.add_error("secret", _("This way to sign in needs it."))
            elif not self.errors and self._identity_of_values(values) != self._identity:
                self.add_error(
                    "secret", _("The set secret belongs to another identity. Enter a new one.")
                )
        return values

    def values(self) -> dict[str, Any]:
        """The facts for clusters.connections; without the secret."""
        facts = {name: self.cleaned_data[name] for name in self.Meta.fields}
        return facts | {"subscription_ids": self.cleaned_data["subscriptions"]}

    @staticmethod
    def _identity_of(connection: Connection) -> tuple[str, ...]:
        return tuple(getattr(connection, name) for name in _IDENTITY)

    @staticmethod
    def _identity_of_values(values: dict[str, Any]) -> tuple[str, ...]:
        return tuple(values.get(name) or "" for name in _IDENTITY)

    def _need(self, names: Iterable[str], message: Any) -> None:
        for name in names:
            if not self.cleaned_data.get(name) and name not in self.errors:
                self.add_error(name, message)

    def _uuid(self, name: str) -> str:
        value: str = self.cleaned_data[name].strip()
        if value and not _is_uuid(value):
            raise ValidationError(_("An id looks like 6f1c0d2e-1234-4321-abcd-0123456789ab."))
        return value.lower()

    def _origin(self, name: str) -> str:
        value: str = self.cleaned_data[name].strip()
        if not value:
            return ""
        if urlsplit(value).scheme != "https":
            raise ValidationError(_("An address that begins with https://"))
        try:
            return custom(arm_endpoint=value, authority=value).arm_endpoint
        except ValueError:
            raise ValidationError(
                _("The host alone: no path, user name, query or fragment.")
            ) from None

    def _file(self, name: str) -> str:
        value: str = self.cleaned_data[name].strip()
        if value and not Path(value).is_file():
            raise ValidationError(_("The portal's host has no such file."))
        return value


_IDENTITY = ("cloud", "arm_endpoint", "authority", "tenant_id", "sign_in", "client_id")


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return len(text) == 36


class RemoveForm(forms.Form):
    """Remove a connection: its name, typed."""

    name = forms.CharField(label=_("Name of the connection"), max_length=100)

    def __init__(self, *args: Any, connection: Connection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connection = connection

    def clean_name(self) -> str:
        value: str = self.cleaned_data["name"]
        if value.strip() != self._connection.name:
            raise ValidationError(_("Type the name exactly as it stands above."))
        return value
