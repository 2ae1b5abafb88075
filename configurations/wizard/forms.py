"""The forms of the wizard: the Azure portal's labels, our rules, and a value that keeps them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from configurations.specification import texts
from configurations.specification.graph import cycles
from configurations.specification.rules import COMBINED_LIMIT
from configurations.specification.violations import Violation
from configurations.wizard.substitution import substitute_from_violation, substitute_violation

_NUMBER = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
_PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


class CheckedForm(forms.Form):
    """A form whose errors may come with a value to use instead (`fixes`, by field)."""

    required_css_class = "fg-need"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fixes: dict[str, str] = {}

    @property
    def fixes(self) -> dict[str, str]:
        """Field -> a value that keeps its rules; a form is checked when first asked."""
        self.errors  # noqa: B018 (a property that checks)
        return self._fixes

    def broken(self, field: str, violation: Violation | None) -> None:
        """Note a broken rule of `field`; one a field is enough."""
        if violation is None or field in self.errors:
            return
        self.add_error(field, forms.ValidationError(violation.message, code=violation.code))
        if violation.suggestion is not None:
            self._fixes[field] = violation.suggestion

    def minutes(self, field: str, *, optional: bool = False) -> None:
        """Check a field of minutes."""
        typed = self.cleaned_data.get(field)
        if typed is None or (optional and not typed):
            return
        seconds = texts.parse_minutes(typed)
        if seconds is None:
            self.add_error(field, gettext("Enter minutes, such as 10, or a time such as 1h30m."))
        else:
            self.broken(field, texts.seconds(seconds))

    def values(self) -> dict[str, Any]:
        """What is in the fields now, as typed."""
        return {name: self[name].value() for name in self.fields}


def _minutes_field(label: Any, **kwargs: Any) -> forms.CharField:
    return forms.CharField(label=label, widget=_NUMBER, **kwargs)


class BasicsForm(CheckedForm):
    name = forms.CharField(
        label=_("Configuration name"),
        widget=forms.TextInput(attrs={**_PLAIN, "autofocus": True}),
        help_text=_("At most 63 lower case letters, digits, hyphens and periods."),
    )
    namespace = forms.CharField(
        label=_("Namespace"),
        widget=forms.TextInput(attrs=_PLAIN),
        help_text=_("Where the source and the kustomizations live. It is made if it is missing."),
    )
    scope = forms.ChoiceField(
        label=_("Scope"),
        choices=[("namespace", _("Namespace")), ("cluster", _("Cluster"))],
        widget=forms.RadioSelect,
        help_text=_(
            "Cluster may change everything on the cluster; Namespace only its own namespace. "
            "It cannot be changed later."
        ),
    )

    def __init__(self, *args: Any, taken: Collection[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._taken = taken

    def clean(self) -> None:
        name = self.cleaned_data.get("name")
        if name is not None:
            self.broken("name", texts.name(name))
            if name in self._taken:
                self.add_error("name", gettext("This cluster has a configuration of this name."))
        if "namespace" in self.cleaned_data:
            self.broken("namespace", texts.namespace(self.cleaned_data["namespace"]))


class KustomizationForm(CheckedForm):
    """One row; `others` are the rest of them."""

    name = forms.CharField(label=_("Instance name"), widget=forms.TextInput(attrs=_PLAIN))
    path = forms.CharField(
        label=_("Path"),
        required=False,
        widget=forms.TextInput(attrs=_PLAIN),
        help_text=_("If left blank, the root path of the repository is used."),
    )
    depends_on = forms.MultipleChoiceField(
        label=_("Depends on"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("It starts when all of these are ready."),
    )
    sync_interval = _minutes_field(_("Sync interval (minutes)"))
    sync_timeout = _minutes_field(_("Sync timeout (minutes)"))
    retry_interval = _minutes_field(
        _("Retry interval (minutes)"),
        required=False,
        help_text=_("If left blank, the value of the sync interval is used."),
    )
    prune = forms.BooleanField(
        label=_("Prune"),
        required=False,
        help_text=_("Objects removed from Git are deleted from the cluster."),
    )
    force = forms.BooleanField(
        label=_("Force"),
        required=False,
        help_text=_("Objects with unchangeable fields are deleted and made again."),
    )

    wait = forms.BooleanField(
        label=_("Wait"),
        required=False,
        help_text=_("It is ready when everything that it applied is ready (health checks)."),
    )
    substitute = forms.CharField(
        label=_("Variables"),
        required=False,
        widget=forms.Textarea({**_PLAIN, "rows": 4}),
        strip=False,
        help_text=_("One name=value a line. Each ${name} in the manifests becomes the value."),
    )
    substitute_from = forms.CharField(
        label=_("Variables from"),
        required=False,
        widget=forms.Textarea({**_PLAIN, "rows": 4}),
        help_text=_(
            "One a line: ConfigMap name, or Secret name, in the configuration's namespace; "
            "add optional where it may be missing."
        ),
    )

    def __init__(
        self,
        *args: Any,
        others: Sequence[dict[str, Any]] = (),
        configuration_name: str = "",
        was: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._others = others
        self._configuration_name = configuration_name
        self._was = was
        names = [row["name"] for row in others if row["name"]]
        chosen = self["depends_on"].value() or []
        # A name that was chosen and is gone stays visible until it is taken out.
        names += [name for name in chosen if name not in names]
        self.fields["depends_on"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]

    def clean(self) -> None:
        name = self.cleaned_data.get("name")
        if name is not None:
            self.broken("name", texts.name(name))
            self._combined(name)
            if any(row["name"] == name for row in self._others):
                self.add_error("name", gettext("There is another one of this name."))
        self.broken("path", texts.path(self.cleaned_data.get("path") or ""))
        self.minutes("sync_interval")
        self.minutes("sync_timeout")
        self.minutes("retry_interval", optional=True)
        self.broken("substitute", substitute_violation(self.cleaned_data.get("substitute") or ""))
        self.broken(
            "substitute_from",
            substitute_from_violation(self.cleaned_data.get("substitute_from") or ""),
        )
        self._dependencies(name or self._was)

    @property
    def is_unfolded(self) -> bool:
        """Whether an additional setting holds something, or is wrong."""
        fields = [self["substitute"], self["substitute_from"], self["force"]]
        return not self["wait"].value() or any(it.errors or it.value() for it in fields)

    def _combined(self, name: str) -> None:
        room = COMBINED_LIMIT - 1 - len(self._configuration_name)
        if len(name) > room and not self.errors.get("name"):
            shorter = name[: max(room, 0)].rstrip("-.")
            message = gettext(
                "Together with the configuration's name it may have at most %(n)d characters."
            ) % {"n": COMBINED_LIMIT - 1}
            self.broken("name", Violation((), "combined", message, shorter or None))

    def _dependencies(self, name: str) -> None:
        wanted = self.cleaned_data.get("depends_on") or []
        known = {row["name"] for row in self._others}
        missing = [other for other in wanted if other not in known]
        if name in wanted:
            self.add_error("depends_on", gettext("A kustomization may not wait for itself."))
        elif missing:
            message = gettext("There is no kustomization “%(name)s”.") % {"name": missing[0]}
            self.add_error("depends_on", message)
        else:
            graph = {row["name"]: list(row["depends_on"]) for row in self._others}
            graph = {
                other: [name if it == self._was else it for it in its]
                for other, its in graph.items()
            }
            graph[name] = list(wanted)
            loops = [loop for loop in cycles(graph) if name in loop]
            if loops:
                message = gettext("These wait for each other in a circle: %(loop)s.")
                self.add_error("depends_on", message % {"loop": " → ".join(loops[0])})


class ReasonForm(forms.Form):
    """Why: goes to the reviewers and into the history."""

    reason = forms.CharField(
        label=_("Reason"),
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text=_("Reviewers read it first, and it stays in the history."),
    )


class DeleteForm(ReasonForm):
    """A delete is confirmed by typing the name."""

    typed_name = forms.CharField(
        label=_("Type the configuration's name"), widget=forms.TextInput(attrs=_PLAIN)
    )

    force = forms.BooleanField(
        label=_("By force"),
        required=False,
        help_text=_(
            "Azure forgets it without asking the cluster: nothing is pruned, and Flux may go on "
            "there. Only where an ordinary delete does not end."
        ),
    )

    def __init__(self, *args: Any, name: str, may_force: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._name = name
        if not may_force:
            del self.fields["force"]

    def clean_typed_name(self) -> str:
        typed: str = self.cleaned_data["typed_name"]
        if typed.strip() != self._name:
            raise forms.ValidationError(gettext("This is not its name."), code="name")
        return typed


class RemoveFluxForm(DeleteForm):
    """Everything that Flux has on a cluster: confirmed by typing the cluster's name."""

    seen = forms.CharField(required=False, max_length=4000, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["typed_name"].label = _("Type the cluster's name")

    def clean_seen(self) -> list[int]:
        return [int(it) for it in self.cleaned_data["seen"].split(",") if it.isdecimal()]


class ClusterSearchForm(forms.Form):
    """Find a cluster by a part of its name, group or region."""

    q = forms.CharField(
        label=_("Cluster"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={**_PLAIN, "type": "search", "autofocus": True}),
    )


__all__ = [
    "BasicsForm",
    "CheckedForm",
    "ClusterSearchForm",
    "DeleteForm",
    "KustomizationForm",
    "ReasonForm",
]
