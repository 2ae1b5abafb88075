"""The control of a form field with the classes and ARIA of the look; used by _field.html."""

from __future__ import annotations

from typing import Any

from django import template
from django.forms import BoundField
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

CLASSES = {
    "checkbox": "form-check-input",
    "radioselect": "form-check-input",
    "checkboxselectmultiple": "form-check-input",
    "select": "form-select",
    "selectmultiple": "form-select",
    "nullbooleanselect": "form-select",
}


def described_by(field: BoundField) -> str:
    """Ids of the hint and of the error, in the order in which they are read."""
    ids = [f"{field.auto_id}_helptext"] if field.help_text else []
    ids += [f"{field.auto_id}_error"] if field.errors else []
    return " ".join(ids)


@register.simple_tag
def control(field: BoundField, mono: bool = False, list: str = "") -> SafeString:  # noqa: A002
    """The widget itself; forms stay plain."""
    own = str(field.field.widget.attrs.get("class", ""))
    css = [own, CLASSES.get(field.widget_type, "form-control"), "fg-mono" if mono else ""]
    attrs: dict[str, Any] = {"class": " ".join(part for part in css if part)}
    if field.widget_type == "textarea" and field.field.widget.attrs.get("rows") == "10":
        attrs["rows"] = "3"  # Django's ten lines are too many; it grows with its text
    if list:
        attrs["list"] = list
    if field.errors:
        attrs["aria-invalid"] = "true"
    if described_by(field):
        attrs["aria-describedby"] = described_by(field)
    return field.as_widget(attrs=attrs)


@register.simple_tag
def control_choice(choice: Any) -> SafeString:
    """One radio button or checkbox of a group, without Django's own label around it."""
    data = choice.data
    attrs = {key: value for key, value in data["attrs"].items() if value not in (False, None)}
    attrs["class"] = "form-check-input"
    pairs = ((key, "" if value is True else value) for key, value in attrs.items())
    return format_html(
        '<input type="{}" name="{}" value="{}"{}>',
        data["type"],
        data["name"],
        "" if data["value"] is None else data["value"],
        format_html_join("", ' {}="{}"', pairs),
    )


@register.simple_tag
def field_aria(field: BoundField) -> SafeString:
    """ARIA of a group of choices."""
    pairs = [("aria-describedby", described_by(field))] if described_by(field) else []
    pairs += [("aria-invalid", "true")] if field.errors else []
    return format_html_join(" ", '{}="{}"', pairs)
