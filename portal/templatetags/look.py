"""The look of Fluxgate as template tags: icons, states as icon + word + colour, times.

A state's icon and tone are keyed on the value that ARM or the database holds; the word goes
through gettext. Nothing here decides by a word (design.md section 3).
"""

from __future__ import annotations

import json as json_module
import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django import template
from django.conf import settings
from django.template.context import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from changes.models import Problem
from live import page

register = template.Library()


class Look(NamedTuple):
    """How one state is shown: the sprite's icon, the tone of fluxgate.css and the word."""

    icon: str
    tone: str
    word: str | Promise


UNKNOWN = Look("help-circle", "none", gettext_lazy("Unknown"))
STALE = Look("clock-question", "none", gettext_lazy("Unknown"))
DRIFTED = Look("git-compare", "warn", gettext_lazy("Drifted"))

COMPLIANCE: dict[str, Look] = {
    "Compliant": Look("circle-check-filled", "good", gettext_lazy("Compliant")),
    "Non-Compliant": Look("alert-octagon-filled", "bad", gettext_lazy("Non-Compliant")),
    "Pending": Look("progress", "busy", gettext_lazy("Pending")),
    "Suspended": Look("player-pause-filled", "held", gettext_lazy("Suspended")),
    "Unknown": UNKNOWN,
}

PROVISIONING: dict[str, Look] = {
    "Succeeded": Look("circle-check-filled", "good", gettext_lazy("Succeeded")),
    "Failed": Look("circle-x-filled", "bad", gettext_lazy("Failed")),
    "Canceled": Look("circle-x-filled", "bad", gettext_lazy("Canceled")),
    "Creating": Look("loader", "busy", gettext_lazy("Creating")),
    "Updating": Look("loader", "busy", gettext_lazy("Updating")),
    "Deleting": Look("loader", "busy", gettext_lazy("Deleting")),
}

CHANGE: dict[str, Look] = {
    "draft": Look("pencil", "none", gettext_lazy("Draft")),
    "in_review": Look("eye", "busy", gettext_lazy("In review")),
    "approved": Look("shield-check", "good", gettext_lazy("Approved")),
    "scheduled": Look("calendar-clock", "held", gettext_lazy("Scheduled")),
    "applying": Look("loader", "busy", gettext_lazy("Applying")),
    "applied": Look("circle-check-filled", "good", gettext_lazy("Applied")),
    "failed": Look("circle-x-filled", "bad", pgettext_lazy("change", "Failed")),
    "rejected": Look("ban", "none", gettext_lazy("Rejected")),
    "withdrawn": Look("arrow-back-up", "none", gettext_lazy("Withdrawn")),
    "expired": Look("hourglass-off", "none", gettext_lazy("Expired")),
    "superseded": Look("replace", "none", gettext_lazy("Superseded")),
}

OPERATION: dict[str, Look] = {
    "waiting": Look("clock", "none", gettext_lazy("Waiting")),
    "sending": Look("cloud-upload", "busy", gettext_lazy("Sending")),
    "polling": Look("loader", "busy", gettext_lazy("Polling")),
    "succeeded": Look("circle-check", "good", pgettext_lazy("operation", "Succeeded")),
    "failed": Look("circle-x", "bad", pgettext_lazy("operation", "Failed")),
    "superseded": Look("replace", "none", gettext_lazy("Superseded")),
}

CONNECTIVITY: dict[str, Look] = {
    "Connected": Look("plug-connected", "good", gettext_lazy("Connected")),
    "Connecting": Look("loader", "busy", gettext_lazy("Connecting")),
    "Offline": Look("plug-connected-x", "bad", gettext_lazy("Offline")),
    "Expired": Look("hourglass-off", "bad", gettext_lazy("Certificate expired")),
}


# --- icons and states ----------------------------------------------------------------------


@lru_cache(maxsize=1)
def _sprite(static_url: str, hashed: bool) -> str:
    return static("vendor/tabler/icons.svg")


@register.simple_tag
def icon(name: str, extra: str = "", title: str = "") -> SafeString:
    """One icon of the sprite; silent for screen readers unless it has a title."""
    sprite = _sprite(settings.STATIC_URL, settings.DEBUG)
    if title:
        return format_html(
            '<svg class="icon {}" role="img" aria-label="{}"><use href="{}#{}"/></svg>',
            extra, title, sprite, name,
        )  # fmt: skip
    css = f"icon {extra}".rstrip()
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>', css, sprite, name
    )


def state_html(
    look: Look, *, pill: bool = False, stale: bool = False, quiet: bool = False
) -> SafeString:
    """Icon and word in a tone; `quiet` keeps the word for screen readers only."""
    css = f"fg-state fg-state--{look.tone}"
    css += " fg-state--pill" if pill else ""
    css += " fg-state--stale" if stale else ""
    sign = icon(look.icon, "fg-turning" if look.icon == "loader" else "")
    word = format_html('<span class="fg-hide">{}</span>', look.word) if quiet else look.word
    return format_html('<span class="{}">{}{}</span>', css, sign, word)


def _unknown(value: object) -> Look:
    """A value that this version does not know is shown as it is, never as good or bad."""
    return Look(UNKNOWN.icon, UNKNOWN.tone, str(value)) if value else UNKNOWN


@register.simple_tag
def compliance(
    value: str, stale: bool = False, pill: bool = False, quiet: bool = False
) -> SafeString:
    """ARM's compliance; a stale one is Unknown, hatched and dashed, never green."""
    look = STALE if stale else COMPLIANCE.get(str(value)) or _unknown(value)
    return state_html(look, pill=pill, stale=stale and not quiet, quiet=quiet)


@register.simple_tag
def provisioning(value: str, pill: bool = False, quiet: bool = False) -> SafeString:
    """ARM's provisioning state."""
    return state_html(PROVISIONING.get(str(value)) or _unknown(value), pill=pill, quiet=quiet)


@register.simple_tag
def change_state(value: str, pill: bool = False, quiet: bool = False) -> SafeString:
    """changes.models.Change.State."""
    return state_html(CHANGE.get(str(value)) or _unknown(value), pill=pill, quiet=quiet)


@register.simple_tag
def operation_state(value: str, pill: bool = False, quiet: bool = False) -> SafeString:
    """changes.models.Operation.State."""
    return state_html(OPERATION.get(str(value)) or _unknown(value), pill=pill, quiet=quiet)


@register.simple_tag
def connectivity(value: str, pill: bool = False, quiet: bool = False) -> SafeString:
    """Arc's connectivity of a cluster."""
    return state_html(CONNECTIVITY.get(str(value)) or _unknown(value), pill=pill, quiet=quiet)


@register.simple_tag
def connectivity_word(value: str) -> str:
    """The word alone, where the icon stands elsewhere in the line."""
    return str((CONNECTIVITY.get(str(value)) or _unknown(value)).word)


@register.simple_tag
def problem_word(value: str) -> str:
    """A named problem in words (changes.models.Problem)."""
    return str(Problem(value).label) if value in Problem.values else str(value)


@register.simple_tag
def drifted(fields: int = 0) -> SafeString:
    """The chip in the column beside the compliance: how many fields differ."""
    word = (
        ngettext("%(n)s field", "%(n)s fields", fields) % {"n": fields} if fields else DRIFTED.word
    )
    return format_html('<span class="fg-chip fg-chip--warn">{}{}</span>', icon(DRIFTED.icon), word)


@register.simple_tag
def state(tone: str, icon_name: str, word: str, pill: bool = False) -> SafeString:
    """A reason that is no state of ARM's: "Blocked by infra"."""
    return state_html(Look(icon_name, tone, word), pill=pill)


@register.simple_tag
def dash(word: str = "") -> SafeString:
    """An empty cell: a grey dash, and a word for those who do not see it."""
    return format_html(
        '<span class="fg-faint" aria-hidden="true">–</span><span class="fg-hide">{}</span>',
        word or _("none"),
    )


# --- times ---------------------------------------------------------------------------------

RELATIVE_SECONDS = 48 * 3600


def duration(seconds: float) -> str:
    """ "14 s", "12 min", "2 h 10 min", "3 d"; fluxgate.js says the same words."""
    seconds = max(0, int(seconds))
    if seconds < 60:
        return _("%(n)s s") % {"n": seconds}
    minutes = seconds // 60
    if minutes < 60:
        return _("%(n)s min") % {"n": minutes}
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        both = _("%(h)s h %(m)s min") % {"h": hours, "m": minutes}
        return both if minutes else _("%(h)s h") % {"h": hours}
    return _("%(n)s d") % {"n": hours // 24}


def relative(moment: datetime, now: datetime, *, bare: bool = False) -> str:
    """How long ago up to 48 h, with units; before that the date. Times in UTC."""
    age = (now - moment).total_seconds()
    if abs(age) >= RELATIVE_SECONDS:
        return date_format(moment.astimezone(UTC), "j M Y")
    if bare:
        return duration(abs(age))
    if age < -1:
        return _("in %(time)s") % {"time": duration(-age)}
    return _("%(time)s ago") % {"time": duration(age)}


@register.simple_tag
def ago(moment: datetime | str | None, bare: bool = False, css: str = "") -> SafeString:
    """A `<time>`: relative up to 48 h, exact in its title; fluxgate.js keeps it fresh.

    `bare` leaves "ago" away, for a column that says Since. Takes ISO text too (ARM's times).
    """
    moment = _moment(moment)
    if moment is None:
        return dash(_("never"))
    exact = moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return format_html(
        '<time class="fg-num {}" datetime="{}" title="{}" data-ago="{}">{}</time>',
        css, exact, exact, "bare" if bare else "ago",
        relative(moment, timezone.now(), bare=bare),
    )  # fmt: skip


@register.simple_tag
def moment(value: datetime | str | None, form: str = "j M Y H:i") -> SafeString:
    """A `<time>` that stays as written: "24 Nov 2026 09:41 UTC"."""
    found = _moment(value)
    if found is None:
        return dash(_("never"))
    found = found.astimezone(UTC)
    exact = found.isoformat(timespec="seconds").replace("+00:00", "Z")
    text = date_format(found, form)
    text += " UTC" if re.search("[HGi]", form) else ""
    return format_html(
        '<time class="fg-num" datetime="{}" title="{}">{}</time>', exact, exact, text
    )


def _moment(value: datetime | str | None) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            return None
    if value is None or not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


# --- names, ids, bodies --------------------------------------------------------------------

TONES = {"production", "staging", "development", "edge", "demo"}


@register.simple_tag
def environment(env: Any) -> SafeString:
    """A small square and the name (access.models.Environment), or a grey dash."""
    if env is None or env == "":
        return dash(_("no environment"))
    tone = getattr(env, "tone", "")
    css = f"fg-env fg-env--{tone}" if tone in TONES else "fg-env"
    return format_html('<span class="{}">{}</span>', css, env)


@register.simple_tag
def arm_id(value: str) -> SafeString:
    """A long ARM id that loses its middle and keeps its end, with a copy button."""
    if not value:
        return dash()
    head, tail = _split_arm_id(str(value))
    return format_html(
        '<span class="fg-arm" title="{}"><span class="fg-arm__head">{}</span>'
        '<span class="fg-arm__tail">{}</span>{}</span>',
        value, head, tail, copy(str(value), _("Copy the ARM id")),
    )  # fmt: skip


def _split_arm_id(value: str) -> tuple[str, str]:
    """The end is the last type and name: "/fluxConfigurations/cluster-config"."""
    parts = value.rsplit("/", 2)
    if len(parts) < 3:
        return "", value
    return parts[0], f"/{parts[1]}/{parts[2]}"


@register.simple_tag
def copy(value: str, label: str = "") -> SafeString:
    """A button that copies `value`; hidden until fluxgate.js can do it."""
    return format_html(
        '<button class="fg-copy" type="button" hidden data-copy="{}" aria-label="{}">{}</button>',
        value, label or _("Copy"), icon("copy"),
    )  # fmt: skip


_DIGEST = re.compile(
    r"^(?P<ref>.*?)(?P<at>@?)(?:(?:sha1|sha256|sha512):)(?P<hash>[0-9a-fA-F]{7,})$"
)
_PLAIN = re.compile(r"^(?:(?P<ref>.+)[/@])?(?P<hash>[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?)$")


def short_commit(value: str) -> str:
    """ "main@9ad31c0" from Flux's revisions: main@sha1:…, main/…, sha256:…; else as it is."""
    found = _DIGEST.match(value) or _PLAIN.match(value)
    if found is None:
        return value
    reference = (found["ref"] or "").removesuffix("@")
    short = found["hash"][:7].lower()
    return f"{reference}@{short}" if reference else short


@register.simple_tag
def commit(value: str) -> SafeString:
    """A revision of Flux's, short, in mono, whole in its title."""
    if not value:
        return dash(_("no commit yet"))
    return format_html(
        '<span class="fg-mono" title="{}">{}</span>', value, short_commit(str(value))
    )


@register.simple_tag
def digest(value: str) -> SafeString:
    """A SHA-256, its ends, in mono, with a copy button."""
    if not value:
        return dash()
    short = value if len(value) <= 20 else f"{value[:8]}…{value[-8:]}"
    return format_html(
        '<span class="fg-line"><span class="fg-mono fg-xs" title="{}">{}</span>{}</span>',
        value, short, copy(value, _("Copy the digest")),
    )  # fmt: skip


@register.simple_tag
def person(user: Any) -> SafeString:
    """A name; None is the portal itself."""
    if user is None or user == "":
        return format_html('<span class="fg-person">{}</span>', "Fluxgate")
    return format_html('<span class="fg-person">{}</span>', user)


@register.simple_tag
def json(value: Any, label: str = "") -> SafeString:
    """A body as indented JSON in a code box that can be reached by keyboard."""
    text = json_module.dumps(value, indent=2, ensure_ascii=False, sort_keys=False, default=_plain)
    return format_html(
        '<pre class="fg-code" tabindex="0" aria-label="{}"><code>{}</code></pre>',
        label or _("JSON"), text,
    )  # fmt: skip


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


@register.filter
def percent(part: int, whole: int) -> int:
    """Whole per cent; 0 of nothing. Never 100 while one is missing, never 0 while one is there."""
    if not whole or not part:
        return 0
    if part >= whole:
        return 100
    return min(99, max(1, round(100 * part / whole)))


# --- live ----------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def live(context: Context, *scopes: str) -> SafeString:
    """Inside the tag of an element with an id that is one of the page's parts.

    `<section id="status" {% live "configuration:12" %}>`: fetch this element again whenever one
    of the scopes moves. The page's stream is allowed exactly the scopes named on it.
    """
    named = [scope for scope in scopes if scope]
    request = context.get("request")
    if request is not None:
        page.name(request, named)
    return format_html('data-live="{}"', " ".join(named))


@register.simple_tag(takes_context=True)
def live_stream(context: Context) -> SafeString:
    """Where the page's stream is, for fluxgate.js; at the end of the body, after all `live`."""
    request = context.get("request")
    address = page.stream_address(request) if request is not None else ""
    return format_html('<div id="fg-stream" hidden data-url="{}"></div>', address)
