"""Where the object of an event has its page: each app registers its own types (AppConfig.ready)."""

from __future__ import annotations

from collections.abc import Callable

from django.urls import NoReverseMatch, reverse

from audit.models import AuditEvent

# From the event to its object's address; "" where there is none (any more).
UrlMaker = Callable[[AuditEvent], str]

_MAKERS: dict[str, UrlMaker] = {}


def register(object_type: str, maker: UrlMaker) -> None:
    """`maker` gives the address for events about this type of object."""
    _MAKERS[object_type] = maker


def register_named(object_type: str, url_name: str) -> None:
    """For the usual case: the page takes the object's id as its only argument."""

    def maker(event: AuditEvent) -> str:
        return reverse(url_name, args=[event.object_id])

    register(object_type, maker)


def url_of(event: AuditEvent) -> str:
    """The address of the event's object, "" for an unknown type or an id that fits no address."""
    maker = _MAKERS.get(event.object_type)
    if maker is None:
        return ""
    try:
        return maker(event)
    except (NoReverseMatch, ValueError):
        return ""


def types() -> list[str]:
    """The types that have a page, sorted."""
    return sorted(_MAKERS)
