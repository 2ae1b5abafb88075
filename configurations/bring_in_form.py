"""What is brought in: typed or uploaded, as text."""

from __future__ import annotations

import codecs
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from configurations.faces.bring_in import SIZE_LIMIT

BYTES_LIMIT = 4 * SIZE_LIMIT  # a character takes at most four
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class BringInForm(forms.Form):
    """One of the two is enough; a file wins, and `cleaned_data["read"]` is its text."""

    text = forms.CharField(
        label=_("Text"),
        required=False,
        strip=False,
        widget=forms.Textarea(
            attrs={
                "class": "fg-tall",
                "spellcheck": "false",
                "autocomplete": "off",
                "autocapitalize": "none",
            }
        ),
    )
    file = forms.FileField(label=_("Or a file"), required=False, allow_empty_file=True)

    def clean_file(self) -> str:
        file = self.cleaned_data.get("file")
        return text_of(file) if isinstance(file, UploadedFile) else ""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        given = cleaned.get("file") or cleaned.get("text", "").replace("\r\n", "\n")
        if not self.errors and not given.strip():
            self.add_error("text", gettext("Paste a text or choose a file."))
        cleaned["read"] = given
        return cleaned


def text_of(file: UploadedFile[bytes]) -> str:
    """The text of a file in UTF-8, or in UTF-16 with its mark, as PowerShell writes it."""
    if (file.size or 0) > BYTES_LIMIT:
        raise forms.ValidationError(
            gettext("The file is larger than %(n)d MB.") % {"n": BYTES_LIMIT // 1_000_000}
        )
    data: bytes = file.read()
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = str(data, encoding)
    except UnicodeDecodeError as error:
        raise forms.ValidationError(gettext("The file is no text in UTF-8 or UTF-16.")) from error
    return text.replace("\r\n", "\n")
