"""The few pages of the sign-in service."""

from __future__ import annotations

import html
from collections.abc import Iterable

from simulator.settings import Person

REFUSED = "<p>The application is unknown, or its reply address is not on this machine.</p>"


def choices(people: Iterable[Person], values: dict[str, str]) -> str:
    """Return a form with a button a person, which carries on what the application asked for."""
    hidden = _hidden({k: v for k, v in values.items() if k not in ("person", "login_hint")})
    buttons = "".join(
        f'<p><button name="person" value="{html.escape(p.user_name)}">'
        f"{html.escape(p.name)} ({html.escape(p.user_name)})</button></p>"
        for p in people
    )
    return f'<form method="post">{hidden}{buttons}</form>'


def form_post(uri: str, values: dict[str, str]) -> str:
    """Return a form that sends itself to the application (``response_mode=form_post``)."""
    return (
        f'<form method="post" action="{html.escape(uri)}">{_hidden(values)}'
        "<button>Continue</button></form><script>document.forms[0].submit()</script>"
    )


def _hidden(values: dict[str, str]) -> str:
    return "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in values.items()
    )


def page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title></head>"
        f"<body><main><h1>{html.escape(title)}</h1><p>Simulated sign-in</p>{body}</main>"
        "</body></html>"
    )
