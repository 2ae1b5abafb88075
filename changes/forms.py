"""What people type about a change."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from changes.models import Change, Review

COMMENT_LENGTH = 4000


class ReviewForm(forms.Form):
    """A verdict on the digest that was shown. Whoever does not approve says why."""

    verdict = forms.ChoiceField(
        choices=[(v.value, v.label) for v in Review.Verdict if v != Review.Verdict.COMMENT],
        required=False,
        widget=forms.HiddenInput,
    )
    digest = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)
    comment = forms.CharField(
        label=_("Comment"),
        max_length=COMMENT_LENGTH,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Needed to request changes and to reject."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        verdict = cleaned.get("verdict")
        if not verdict and "verdict" not in self.errors:
            self.add_error(None, _("Choose what to do with the change."))
        needs_words = {Review.Verdict.REQUEST_CHANGES, Review.Verdict.REJECT}
        if verdict in needs_words and not cleaned.get("comment"):
            self.add_error("comment", _("Say why, so that the author knows what to do."))
        return cleaned


class CommentForm(forms.Form):
    comment = forms.CharField(label=_("Comment"), max_length=COMMENT_LENGTH)


class WithdrawForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=COMMENT_LENGTH, required=False)


class FilterForm(forms.Form):
    """The list's filter, all of it in the URL; what is not understood filters nothing."""

    TABS = [("needs", _("Needs me")), ("mine", _("Mine")), ("open", _("Open")), ("all", _("All"))]

    tab = forms.ChoiceField(choices=TABS, required=False)
    state = forms.ChoiceField(label=_("State"), choices=Change.State.choices, required=False)
    kind = forms.CharField(label=_("Kind"), max_length=60, required=False)
    author = forms.CharField(label=_("Author"), max_length=150, required=False)
    q = forms.CharField(label=_("Title or number"), max_length=100, required=False)
    before = forms.IntegerField(required=False, min_value=1)
    after = forms.IntegerField(required=False, min_value=0)
