"""How Flux is installed on the way, in few fields: for the change that makes a configuration.

The whole catalogue is on the cluster's own page; here settings are lines of KEY=VALUE, as the
command line's --config takes them, and are judged by the same catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.extension_changes import Update, not_installed, update_problems
from clusters.extension_compare import STABLE
from clusters.models import Cluster

FIELDS = ("version", "release_train", "settings")
_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class InstallChoiceForm(forms.Form):
    """Empty fields leave it to Azure: the newest version of the train Stable, upgraded by Azure."""

    version = forms.CharField(
        label=gettext_lazy("Version to hold it to"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs=_PLAIN),
    )
    release_train = forms.CharField(
        label=gettext_lazy("Release train"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={**_PLAIN, "placeholder": "Stable"}),
    )
    settings = forms.CharField(
        label=gettext_lazy("Settings of the extension"),
        max_length=8000,
        required=False,
        help_text=gettext_lazy("One a line: image-reflector-controller.enabled=true"),
        widget=forms.Textarea(attrs={**_PLAIN, "rows": 3}),
    )

    def __init__(self, *args: Any, cluster: Cluster, **kwargs: Any) -> None:
        super().__init__(*args, **{"prefix": "install", **kwargs})
        self.cluster = cluster

    def clean_settings(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in self.cleaned_data["settings"].splitlines():
            key, equals, value = (part.strip() for part in line.partition("="))
            if not line.strip():
                continue
            if not equals or not key or not value:
                raise forms.ValidationError(
                    _("Write each line as KEY=VALUE: %(line)s") % {"line": line.strip()[:80]}
                )
            found[key] = value
        return found

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            problems = update_problems(not_installed(self.cluster), self.update)
            for key, reason in problems.items():
                if key in self.fields and key != "settings":
                    self.add_error(key, reason)
                else:
                    self.add_error("settings", f"{key}: {reason}")
        return cleaned

    @property
    def update(self) -> Update:
        """What is asked for; call it once the fields are clean."""
        version = self.cleaned_data.get("version") or ""
        return Update(
            settings=dict(self.cleaned_data.get("settings") or {}),
            auto_upgrade=not version,
            release_train=self.cleaned_data.get("release_train") or None,
            version=version or None,
        )


def choice_form(cluster: Cluster, saved: Mapping[str, str]) -> InstallChoiceForm:
    """The form as it was saved, judged."""
    data = {f"install-{name}": str(saved.get(name) or "") for name in FIELDS}
    return InstallChoiceForm(data, cluster=cluster)


def choice_of(body: Mapping[str, Any]) -> dict[str, str]:
    """An install's body as this form would have it; empty where nothing was chosen."""
    properties = body.get("properties") or {}
    train = str(properties.get("releaseTrain") or "")
    settings = properties.get("configurationSettings") or {}
    return {
        "version": str(properties.get("version") or ""),
        "release_train": "" if train == STABLE else train,
        "settings": "\n".join(f"{key}={value}" for key, value in settings.items()),
    }


def posted_choice(post: Mapping[str, Any]) -> dict[str, str]:
    """What of the form was sent, as typed."""
    return {name: str(post.get(f"install-{name}", "")) for name in FIELDS}
