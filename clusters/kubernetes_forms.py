"""What people type on the pages of a cluster's Kubernetes API."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from clusters.kube import kubeconfig
from clusters.kube.kubeconfig import Access, KubeconfigRefused, SeveralContexts

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def is_namespace(text: str) -> bool:
    """Whether it can be the name of a namespace (RFC 1123 label)."""
    return _NAMESPACE.fullmatch(text) is not None


class WriteOnlyTextarea(forms.Textarea):
    """Never gives back what was typed: it holds a credential."""

    def format_value(self, value: Any) -> str:
        return ""


class KubeconfigForm(forms.Form):
    """A kubeconfig, pasted or as a file. It is never shown again, also not after a mistake."""

    text = forms.CharField(
        label=_("Kubeconfig"),
        required=False,
        max_length=kubeconfig.MOST_BYTES,
        strip=False,
        widget=WriteOnlyTextarea(attrs={"rows": 8, "spellcheck": "false", "autocomplete": "off"}),
        help_text=_("As kubectl config view --raw --minify --flatten prints it."),
    )
    file = forms.FileField(label=_("Or as a file"), required=False)
    context = forms.CharField(
        label=_("Context"),
        required=False,
        max_length=253,
        help_text=_("Only where it holds several."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        upload = cleaned.get("file")
        if upload is not None and upload.size > kubeconfig.MOST_BYTES:
            raise ValidationError({"file": _("It is larger than 100 kB.")})
        content = upload.read() if upload is not None else cleaned.get("text") or ""
        if not content and not self.errors:
            raise ValidationError({"text": _("Paste a kubeconfig, or choose its file.")})
        where = "text" if upload is None else "file"
        try:
            cleaned["access"] = kubeconfig.read(content, context=cleaned.get("context") or "")
        except SeveralContexts as several:
            self.contexts = several.names
            again = _("Choose one of these, and give the kubeconfig again: it was not kept.")
            raise ValidationError({"context": f"{several} {again}"}) from None
        except KubeconfigRefused as refusal:
            raise ValidationError({where: str(refusal)}) from None
        return cleaned

    @property
    def access(self) -> Access:
        found: Access = self.cleaned_data["access"]
        return found
