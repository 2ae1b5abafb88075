"""The field partial renders any kind of field with its label, hint and error wired by ARIA."""

from __future__ import annotations

from django import forms
from django.template import Context, Template

TEMPLATE = Template('{% include "partials/_field.html" with field=field fix=fix %}')


class AnyForm(forms.Form):
    name = forms.CharField(help_text="Lower case letters.")
    prune = forms.BooleanField(required=False, help_text="Removes what left Git.")
    scope = forms.ChoiceField(
        widget=forms.RadioSelect, choices=[("cluster", "Cluster"), ("namespace", "Namespace")]
    )
    kinds = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple, choices=[("a", "A"), ("b", "B")], required=False
    )
    source = forms.ChoiceField(choices=[("git", "Git")])
    token = forms.CharField(widget=forms.HiddenInput)


def rendered(field: str, form: forms.Form | None = None, fix: str = "") -> str:
    form = form or AnyForm()
    return TEMPLATE.render(Context({"field": form[field], "fix": fix}))


def test_text_field_has_label_star_hint_and_no_error() -> None:
    html = rendered("name")
    assert '<label class="form-label fg-need" for="id_name">Name</label>' in html
    assert 'class="form-control"' in html
    assert 'aria-describedby="id_name_helptext"' in html
    assert "aria-invalid" not in html


def test_an_error_is_announced_and_the_fix_is_a_button() -> None:
    html = rendered("name", AnyForm({"name": ""}), fix="monitoring-stack")
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'id="id_name_error"' in html
    assert '<button type="submit" name="fix_name" value="monitoring-stack">' in html


def test_checkbox_sits_in_its_label() -> None:
    html = rendered("prune")
    assert '<label class="fg-switch" for="id_prune"><input type="checkbox"' in html
    assert 'class="form-check-input"' in html
    assert "required" not in html


def test_radio_group_keeps_its_choice_and_ids() -> None:
    html = rendered("scope", AnyForm({"scope": "namespace"}))
    assert html.count('type="radio"') == 2
    assert 'value="namespace"' in html
    chosen = html.split('value="namespace"')[1].split(">")[0]
    assert "checked" in chosen
    assert "checked" not in html.split('value="cluster"')[1].split(">")[0]
    assert 'for="id_scope_1"' in html
    assert 'id="id_scope_1"' in html


def test_several_checkboxes() -> None:
    html = rendered("kinds", AnyForm({"kinds": ["b"]}))
    assert html.count('type="checkbox"') == 2
    assert html.count("checked") == 1


def test_select_has_its_class_and_hidden_shows_nothing_else() -> None:
    assert 'class="form-select"' in rendered("source")
    assert rendered("token").strip().startswith('<input type="hidden"')
    assert "label" not in rendered("token")
