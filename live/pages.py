"""Answer with a whole page or with one part of it, and not at all when nothing moved.

A *part* is a `partialdef` of the page's template whose name is the id of an element on the
page. When that element asks for itself (htmx, `HX-Target`), only the part is rendered.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from django.contrib.messages import get_messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import get_language
from django_htmx.middleware import HtmxDetails

from live.services import versions_for

# What a page shows also ages by itself ("14 s ago", stale): no answer is older than this.
FRESH_SECONDS = 30
BODY_SECONDS = 60
THEME_COOKIE = "fg-theme"

PageContext = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


def _nobody_alike(request: HttpRequest) -> str:
    return f"user {request.user.pk}"


# What two people must have in common to share a cached body. `portal` sets it to their rights
# (`live` knows nothing of `access`); until then nobody shares.
rights_fingerprint: Callable[[HttpRequest], str] = _nobody_alike


def render_page(
    request: HttpRequest,
    template: str,
    context: PageContext,
    *,
    parts: Collection[str] | Mapping[str, str] = (),
    scopes: Sequence[str] = (),
    shared: bool = False,
) -> HttpResponse:
    """The whole page, or the part that asks for itself.

    `parts`: names of partials of `template`; as a mapping, the template that each one is in (a
    page that extends another does not inherit its partials).

    With `scopes` the answer is conditional: its ETag covers who looks (person, rights, language,
    theme), the address, the part and the versions of the scopes, so an unchanged page costs one
    query for the versions and a 304. Bodies of parts are kept in the cache; whole pages are not,
    because they hold messages. Give `context` as a function, and nothing of it is asked when
    there is nothing to render.

    `shared=True` says that the parts show the same to everybody with the same rights (a list,
    but not a page with "your approval is missing"): one body then serves them all. A part that
    holds a form with a CSRF token is never kept, so leave forms out of parts that change often.
    """
    part = _asked_part(request, parts)
    owner = parts[part] if part and isinstance(parts, Mapping) else template
    name = f"{owner}#{part}" if part else template
    if not scopes or request.method not in {"GET", "HEAD"} or _has_messages(request, part):
        response = render(request, name, _evaluated(context))
        patch_cache_control(response, private=True, no_store=True)
        return _varying(response)
    common = _common_key(request, name, scopes)
    personal = _digest(common, request.user.pk, request.META.get("CSRF_COOKIE", ""))
    etag = f'W/"{personal}"'
    if _matches(request.headers.get("If-None-Match", ""), etag):
        response = HttpResponse(status=304)
    else:
        key = f"live:{_digest(common) if shared else personal}" if part else ""
        response = HttpResponse(_body(request, name, context, key))
    response["ETag"] = etag
    patch_cache_control(response, private=True, no_cache=True)
    return _varying(response)


def _asked_part(request: HttpRequest, parts: Collection[str]) -> str:
    """The part that an element of the page asks for, "" for the whole page."""
    htmx = HtmxDetails(request)
    if not htmx or htmx.boosted or htmx.history_restore_request:
        return ""
    target = htmx.target or ""
    return target if target in parts else ""


def _has_messages(request: HttpRequest, part: str) -> bool:
    """A message is shown once: a page that shows one must not come back from a cache."""
    return not part and len(get_messages(request)) > 0


def _common_key(request: HttpRequest, name: str, scopes: Sequence[str]) -> str:
    return _digest(
        name,
        request.get_full_path(),
        rights_fingerprint(request),
        get_language(),
        request.COOKIES.get(THEME_COOKIE, ""),
        sorted(versions_for(request, *scopes).items()),
        int(time.time() // FRESH_SECONDS),
    )


def _body(request: HttpRequest, name: str, context: PageContext, key: str) -> bytes:
    """Rendered, or from the cache when `key` is given; a CSRF token never goes into the cache."""
    kept: bytes | None = cache.get(key) if key else None
    if kept is not None:
        return kept
    token_before = request.META.get("CSRF_COOKIE_NEEDS_UPDATE")
    request.META["CSRF_COOKIE_NEEDS_UPDATE"] = False
    body = render(request, name, _evaluated(context)).content
    holds_token = bool(request.META["CSRF_COOKIE_NEEDS_UPDATE"])
    request.META["CSRF_COOKIE_NEEDS_UPDATE"] = holds_token or bool(token_before)
    if key and not holds_token:
        cache.set(key, body, BODY_SECONDS)
    return body


def _evaluated(context: PageContext) -> dict[str, Any]:
    return dict(context() if callable(context) else context)


def _matches(header: str, etag: str) -> bool:
    return etag in {candidate.strip() for candidate in header.split(",")}


def _varying(response: HttpResponse) -> HttpResponse:
    patch_vary_headers(response, ["Cookie", "HX-Request", "HX-Target"])
    return response


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:32]
