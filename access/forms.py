"""Forms of sign-in, people and environments."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from access.models import Environment, Role, User
from access.signin import take_attempt
from audit.context import current


class SignInForm(AuthenticationForm):
    """A local account's name and password, behind the brake on guessing.

    After cleaning, `wait_seconds` is set when the password was not looked at, and `checked` is
    true when it was.
    """

    error_messages = {
        "invalid_login": _("The user name or the password is wrong."),
        "inactive": _("The user name or the password is wrong."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("User name")
        self.wait_seconds = 0
        self.checked = False

    def clean(self) -> dict[str, Any]:
        username, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if username and password:
            wait = take_attempt(username, current.get().address)
            if wait:
                self.wait_seconds = int(wait.total_seconds()) + 1
                raise ValidationError(_too_many(self.wait_seconds), code="blocked")
            self.checked = True
        return super().clean()


def _too_many(seconds: int) -> str:
    if seconds < 120:
        wait = ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds}
    else:
        minutes = -(-seconds // 60)
        wait = ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
    return gettext("Too many sign-ins failed. Try again in %(wait)s.") % {"wait": wait}


class PersonForm(forms.ModelForm[User]):
    """Somebody new."""

    class Meta:
        model = User
        fields = ["username", "display_name"]
        labels = {"username": _("User name"), "display_name": _("Name")}
        help_texts = {
            "username": _("For signing in: letters, digits and @ . + - _"),
            "display_name": _("As pages and the history show it."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["display_name"].required = True


class RoleForm(forms.Form):
    """A role, and where."""

    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)
    environment = forms.ModelChoiceField(
        label=_("Where"),
        queryset=Environment.objects.all(),
        required=False,
        empty_label=_("Everywhere"),
    )


class EnvironmentForm(forms.ModelForm[Environment]):
    """The scope to which roles and policies are given."""

    class Meta:
        model = Environment
        fields = ["name", "tone", "description"]
        labels = {"name": _("Name"), "tone": _("Tone"), "description": _("Description")}
        help_texts = {
            "name": _("Letters, digits, hyphens and underscores."),
            "tone": _("The colour of the small square beside the name. It never shows a state."),
        }
