"""The form of an installed extension, drawn from the catalogue; and the one that deletes it.

Every setting is a field named `set:KEY`. A field that the browser did not send (a disabled one)
leaves its setting as it is; an emptied one goes back to the default.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.extension_changes import Update, has_modes, seen_digest, update_problems
from clusters.extension_compare import COMPATIBLE, PATCH, STABLE, mode_of
from clusters.extension_settings.catalogue import CATALOGUE, Group, Setting, setting_of
from clusters.extension_settings.checks import difference, in_catalogue, unavailable
from clusters.extension_settings.values import words_of
from clusters.forms import ReasonForm
from clusters.models import Cluster, Extension

PREFIX = "set:"


@dataclass
class Entry:
    """One setting on the page."""

    key: str
    bound: BoundField
    setting: Setting | None
    is_set: bool
    unavailable: str = ""


@dataclass
class Part:
    """Entries under a heading of their own ("": the section's), such as one controller's."""

    title: str
    entries: list[Entry]

    @property
    def set_count(self) -> int:
        return sum(entry.is_set for entry in self.entries)

    @property
    def is_open(self) -> bool:
        """Open where there is something to see."""
        return self.set_count > 0 or any(entry.bound.errors for entry in self.entries)


@dataclass
class Section:
    """A heading of the page, and what to say of it while it is closed."""

    group: Group
    parts: list[Part]

    @property
    def set_count(self) -> int:
        return sum(part.set_count for part in self.parts)

    @property
    def is_open(self) -> bool:
        """Controllers are what people come for."""
        return self.group == Group.CONTROLLERS or any(part.is_open for part in self.parts)


def upgrades_of(extension: Extension) -> str:
    """How it is upgraded now, as a choice of the form."""
    if not extension.auto_upgrade:
        return "held"
    mode = mode_of(extension.observed.get("properties") or {})
    return "patch" if mode == PATCH else "azure"


class ExtensionForm(ReasonForm):
    """Settings, version and way of upgrading. `update` is what of it differs from what is set."""

    seen = forms.CharField(max_length=64, widget=forms.HiddenInput)
    upgrades = forms.ChoiceField(
        label=gettext_lazy("Upgrades"),
        choices=[
            ("azure", gettext_lazy("Minor versions, by Azure")),
            ("patch", gettext_lazy("Patches only, by Azure")),
            ("held", gettext_lazy("None: held to a version")),
        ],
        required=False,
    )
    version = forms.CharField(
        label=gettext_lazy("Version to hold it to"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("Only without upgrades by Azure."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    release_train = forms.CharField(
        label=gettext_lazy("Release train"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    new_key = forms.CharField(
        label=gettext_lazy("Another setting"),
        max_length=253,
        required=False,
        help_text=gettext_lazy("A key that is not listed here; it is sent as it is."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    new_value = forms.CharField(label=gettext_lazy("Its value"), max_length=4096, required=False)

    def __init__(self, *args: Any, extension: Extension, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.extension = extension
        self.known, self.unknown = in_catalogue(extension.settings)
        self.fields["seen"].initial = seen_digest(extension)
        self.fields["seen"].required = extension.pk is not None
        self.fields["upgrades"].initial = upgrades_of(extension)
        if not has_modes(extension.cluster) and upgrades_of(extension) != "patch":
            upgrades = self.fields["upgrades"]
            upgrades.choices = [it for it in upgrades.choices if it[0] != "patch"]  # type: ignore[attr-defined]
        self.fields["version"].initial = "" if extension.auto_upgrade else extension.version
        self.fields["release_train"].initial = extension.release_train or STABLE
        for setting in CATALOGUE:
            self.fields[PREFIX + setting.key] = self._field_of(setting)
        for key, value in sorted(self.unknown.items()):
            self.fields[PREFIX + key] = forms.CharField(
                label=key, required=False, max_length=4096, initial=value
            )

    def _field_of(self, setting: Setting) -> forms.Field:
        given: dict[str, Any] = {
            "label": setting.label,
            "help_text": setting.text,
            "required": False,
            "initial": self.known.get(setting.key, ""),
        }
        closed = {"disabled": True} if self._unavailable(setting) else {}
        words = words_of(setting.value)
        if not words:
            placeholder = {"placeholder": setting.default} if setting.default else {}
            off = {"autocomplete": "off", "spellcheck": "false"}
            return forms.CharField(
                widget=forms.TextInput(attrs={**placeholder, **off, **closed}),
                max_length=4096,
                **given,
            )
        unset = _("Default: %(value)s") % {"value": setting.default}
        current = setting.value.canonical(str(given["initial"]))
        given["initial"] = current
        # What somebody set elsewhere stays choosable, so that sending the form does not undo it.
        shown = list(dict.fromkeys([*words, *([current] if current else [])]))
        return forms.ChoiceField(
            choices=[("", unset), *((word, word) for word in shown)],
            widget=forms.Select(attrs=closed),
            **given,
        )

    def _unavailable(self, setting: Setting) -> str:
        """Why the setting cannot be used here; "" too where it is set and must be changeable."""
        if setting.key in self.known:
            return ""
        kind = self.extension.cluster.kind
        return unavailable(setting, version=self.extension.version, cluster_kind=kind)

    # --- What was typed --------------------------------------------------------------------
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for key, reason in update_problems(self.extension, self.update).items():
            name = PREFIX + key
            if name not in self.fields:
                name = key if key in self.fields else "new_key"
            if name in cleaned:
                self.add_error(name, reason)
        if cleaned.get("new_value") and not cleaned.get("new_key"):
            self.add_error("new_key", _("Name the setting that gets this value."))
        return cleaned

    @property
    def update(self) -> Update:
        """What is asked for; call it once the fields are clean."""
        cleaned = self.cleaned_data
        typed = {
            name.removeprefix(PREFIX): cleaned[name]
            for name in cleaned
            if name.startswith(PREFIX) and name in self.data
        }
        if cleaned.get("new_key") and cleaned.get("new_value"):
            typed[cleaned["new_key"]] = cleaned["new_value"]
        upgrades = cleaned.get("upgrades")
        held = upgrades == "held"
        version = cleaned.get("version") or ""
        return Update(
            settings=difference(self.extension.settings, typed),
            auto_upgrade=not held if upgrades else None,
            mode={"azure": COMPATIBLE, "patch": PATCH}.get(upgrades or ""),
            release_train=cleaned.get("release_train") or None,
            version=version or None,
        )

    # --- How it is drawn -------------------------------------------------------------------
    def sections(self) -> Iterator[Section]:
        for group in Group:
            parts: dict[str, Part] = {}
            for setting in CATALOGUE:
                if setting.group == group:
                    part = parts.setdefault(setting.section, Part(setting.section, []))
                    part.entries.append(self._entry(setting))
            yield Section(group, list(parts.values()))

    def _entry(self, setting: Setting) -> Entry:
        return Entry(
            key=setting.key,
            bound=self[PREFIX + setting.key],
            setting=setting,
            is_set=setting.key in self.known,
            unavailable=self._unavailable(setting),
        )

    def others(self) -> list[Entry]:
        """Settings that the catalogue does not know, as text."""
        return [
            Entry(key=key, bound=self[PREFIX + key], setting=setting_of(key), is_set=True)
            for key in sorted(self.unknown)
        ]


class ExtensionDeleteForm(ReasonForm):
    """The cluster's name, typed, so that nobody deletes from the wrong one."""

    field_order = ["typed_name", "force", "reason"]

    typed_name = forms.CharField(
        label=gettext_lazy("Name of the cluster"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    force = forms.BooleanField(
        label=gettext_lazy("By force"),
        required=False,
        help_text=gettext_lazy(
            "Azure forgets the extension without asking the cluster. Only where an ordinary delete "
            "does not end; its Helm release may have to be removed by hand."
        ),
    )

    def __init__(self, *args: Any, cluster: Cluster, may_force: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cluster = cluster
        self.fields["typed_name"].help_text = _("Type “%(name)s” to confirm.") % {
            "name": cluster.name
        }
        if not may_force:
            del self.fields["force"]

    def clean_typed_name(self) -> str:
        typed = str(self.cleaned_data["typed_name"])
        if typed.strip() != self.cluster.name:
            raise forms.ValidationError(_("The name is another one. Nothing was changed."))
        return typed
