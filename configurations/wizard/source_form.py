"""The form of the Source step, made from the tables of fields for whichever kind is chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from configurations.models import SecretVersion
from configurations.secrets import MARK, is_mark
from configurations.specification.sources import is_certificate, is_private_key
from configurations.specification.violations import Violation
from configurations.wizard import shapes
from configurations.wizard.forms import CheckedForm
from configurations.wizard.shapes import Shape
from configurations.wizard.source_fields import (
    KIND_LABELS,
    KINDS,
    Choice,
    Field,
    Item,
    Text,
    choices_of,
    fields_of,
    is_asked,
    items_of,
    secret_fields,
)

SHOWN_KIND = "shown_kind"  # the kind whose fields the posted page had
REMOVE = "remove_secret"
_PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
_HIDDEN = {"autocomplete": "new-password", "spellcheck": "false"}
_CERTIFICATES = {"oci_ca_certificate", "oci_client_certificate"}
_MONO = {Shape.TEXT, Shape.BASE64_TEXT, Shape.PAIRS, Shape.IDENTITIES}


class SecretField(forms.CharField):
    """A value that is written and never shown; `data` may also be the mark of a stored one."""

    def clean(self, value: Any) -> Any:
        return value if is_mark(value) else super().clean(value)


@dataclass(frozen=True)
class Row:
    """One field on the page, or a hidden one that keeps what was typed."""

    item: Item
    bound: forms.BoundField
    fix: str
    version: SecretVersion | None = None

    @property
    def is_choice(self) -> bool:
        return isinstance(self.item, Choice)

    @property
    def is_secret(self) -> bool:
        return isinstance(self.item, Field) and self.item.is_secret

    @property
    def is_mono(self) -> bool:
        return isinstance(self.item, Field) and self.item.shape in _MONO

    @property
    def is_long(self) -> bool:
        return isinstance(self.item, Field) and self.item.shape.is_long

    @property
    def hint(self) -> Text:
        """What the chosen value needs."""
        item = self.item
        return item.hints.get(str(self.bound.value()), "") if isinstance(item, Choice) else ""


class SourceForm(CheckedForm):
    """`violations`: what the rules say of the whole draft; each is shown at its field.

    `versions`: the stored secrets by id. `kept`: Azure may hold secrets that are not known here,
    so that an empty secret field means "as it is".
    """

    source_kind = forms.ChoiceField(label=_("Source kind"), choices=KIND_LABELS)

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        violations: Sequence[Violation] = (),
        versions: Mapping[str, SecretVersion] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data, **kwargs)
        values = data if data is not None else (self.initial or {})
        self.values_now = dict(values.items())
        self.kind = str(self.values_now.get("source_kind") or "GitRepository")
        self.refused: Mapping[str, str] = self.values_now.get("refused") or {}
        self.kept = bool(self.values_now.get("kept"))
        self._violations = violations
        self._versions = versions or {}
        for item in items_of(self.kind):
            self.fields[item.name] = self._field(item)

    def _field(self, item: Item) -> forms.Field:
        asked = is_asked(item, self.values_now)
        if isinstance(item, Choice):
            return forms.ChoiceField(
                label=item.label, choices=item.options, required=asked and bool(item.options[0][0])
            )
        required = asked and item.required
        if item.is_secret:
            return SecretField(
                label=item.label,
                help_text=item.hint,
                required=required and not self.kept,
                widget=_lines(_HIDDEN) if item.shape.is_long else forms.PasswordInput(_HIDDEN),
            )
        if item.shape is Shape.FLAG:
            return forms.BooleanField(label=item.label, help_text=item.hint, required=False)
        if item.options:
            return forms.ChoiceField(
                label=item.label, help_text=item.hint, choices=item.options, required=False
            )
        attrs = {**_PLAIN, **({"inputmode": "decimal"} if item.shape is Shape.MINUTES else {})}
        return forms.CharField(
            label=item.label,
            help_text=item.hint,
            required=required,
            widget=_lines(attrs) if item.shape.is_long else forms.TextInput(attrs),
        )

    # --- For the page -----------------------------------------------------------------------
    @property
    def rows(self) -> list[Row]:
        """What is asked for now, in order."""
        return [row for row in self._rows(asked=True) if not _is_folded(row.item)]

    @property
    def folded(self) -> list[Row]:
        return [row for row in self._rows(asked=True) if _is_folded(row.item)]

    @property
    def is_unfolded(self) -> bool:
        """Whether an additional setting holds something, or is wrong."""
        return any(
            row.bound.errors or row.version or row.bound.value() not in (None, "", False)
            for row in self.folded
        )

    @property
    def put_aside(self) -> list[Row]:
        """What is not asked for now and was typed earlier: kept in hidden fields."""
        return [row for row in self._rows(asked=False) if not row.is_secret]

    def _rows(self, *, asked: bool) -> Iterator[Row]:
        for item in items_of(self.kind):
            if is_asked(item, self.values_now) is asked:
                mark: Any = self.values_now.get(item.name)
                version = self._versions.get(str(mark[MARK])) if is_mark(mark) else None
                yield Row(item, self[item.name], self.fixes.get(item.name, ""), version)

    # --- Rules ------------------------------------------------------------------------------
    def clean(self) -> None:
        asked = [it for it in fields_of(self.kind) if is_asked(it, self.values_now)]
        for field in asked:
            if field.shape is Shape.MINUTES:
                self.minutes(field.name)
            if field.name in self.refused:
                self.add_error(field.name, self.refused[field.name])
        choices = [it for it in choices_of(self.kind) if is_asked(it, self.values_now)]
        for violation in self._violations:
            name = _name_of(violation, asked, choices)
            if name:
                self.broken(name, violation)
            elif not self.errors:
                self.add_error(None, violation.message)


def _lines(attrs: Mapping[str, Any]) -> forms.Textarea:
    return forms.Textarea({**attrs, "rows": 4})


def _is_folded(item: Item) -> bool:
    return isinstance(item, Field) and item.folded


def _name_of(violation: Violation, fields: Sequence[Field], choices: Sequence[Choice]) -> str:
    """Where the form shows what the violation names: at its field, the choice that writes it, or
    the first field below it. "" for a rule of the whole."""
    path = tuple(violation.field)
    if path == ("sourceKind",):
        return "source_kind"
    exact = next((it.name for it in fields if it.path == path[: len(it.path)]), "")
    written = next((it.name for it in choices if path in _writes_of(it)), "")
    below = (it.name for it in fields if len(path) > 1 and it.path[: len(path)] == path)
    return exact or written or next(below, "")


def _writes_of(choice: Choice) -> set[tuple[str, ...]]:
    return {path for path, _value in choice.writes.values()}


# --- What was posted ------------------------------------------------------------------------
def posted_values(post: QueryDict) -> dict[str, Any]:
    """The texts of the fields that the page had, and the kind that is chosen now."""
    kind = post.get(SHOWN_KIND, "")
    kind = kind if kind in KINDS else "GitRepository"
    form = SourceForm({**post.dict(), "source_kind": kind})
    values = {
        item.name: form[item.name].value()
        for item in items_of(kind)
        if not (isinstance(item, Field) and item.is_secret)
    }
    chosen = post.get("source_kind", kind)
    known = {name: it for name, it in values.items() if it is not None}
    return {**known, "source_kind": chosen if chosen in KINDS else kind}


def posted_secrets(post: QueryDict) -> dict[str, str]:
    """The secrets that were typed, by field, as ARM gets them."""
    return {
        name: shapes.secret_value(field.shape, text)
        for name, field in secret_fields().items()
        if (text := post.get(name, "")) and text.strip()
    }


def removed_secret(post: QueryDict) -> str:
    """The secret whose removal was asked for by its button."""
    name = post.get(REMOVE, "")
    return name if name in secret_fields() else ""


def secret_refusal(field: str, value: str) -> str:
    """Why a typed secret cannot be one of this field; "" where it can."""
    if field == "ssh_private_key" and not is_private_key(value):
        return gettext(
            "This is no PEM private key of type RSA, ECC, DSA or Ed25519 without a passphrase. It "
            "was not kept: enter it again."
        )
    if field in _CERTIFICATES and not is_certificate(value):
        return gettext("This is no certificate in PEM. It was not kept: enter it again.")
    if field == "oci_private_key" and not is_private_key(value):
        return gettext(
            "This is no private key in PEM without a passphrase. It was not kept: enter it again."
        )
    if len(value) > 200_000:
        return gettext("This is too long for a secret. It was not kept.")
    return ""
