"""Taking secrets out of texts that are shown, stored or logged."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"

SECRET_KEYS = frozenset(
    {
        "accountkey",
        "clientcertificate",
        "clientcertificatepassword",
        "clientsecret",
        "configurationprotectedsettings",
        "privatekey",
        "sastoken",
        "sshprivatekey",
        "httpskey",
        "bucketsecretkey",
    }
)
"""Names, in lower case, of the properties that the ARM schema marks as secret."""

_USERINFO = re.compile(r"(?<=://)[^\s/?#@'\"]+@")
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?")
_BEARER = re.compile(r"(?i)(?<=bearer )[\w.~+/=-]{8,}")
_SIGNATURE = re.compile(r"(?i)(?<=[?&;]sig=)[^&\s'\"]+")
_PEM = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S
)


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without the given secrets in any usual encoding, and without what looks like one."""
    variants = {form for secret in secrets if secret for form in _forms(secret)}
    for variant in sorted(variants, key=len, reverse=True):
        text = text.replace(variant, MASK)
    text = _PEM.sub(MASK, text)
    text = _USERINFO.sub(f"{MASK}@", text)
    for pattern in (_TOKEN, _BEARER, _SIGNATURE):
        text = pattern.sub(MASK, text)
    return text


def secret_values(body: Any) -> tuple[str, ...]:
    """Every value that an ARM body holds under a name that the schema marks as secret."""
    return tuple(_values(body, secret=False))


def _values(value: Any, *, secret: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield from _values(child, secret=secret or str(name).lower() in SECRET_KEYS)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from _values(child, secret=secret)
    elif secret and isinstance(value, str) and value:
        yield value


def _forms(secret: str) -> Iterator[str]:
    """The ways in which a service may echo a value: as it is, quoted, encoded, decoded, by line."""
    yield from (secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote_plus(secret))
    yield base64.b64encode(secret.encode()).decode()
    try:
        decoded = base64.b64decode(secret, validate=True).decode()
    except ValueError:
        decoded = ""
    if len(decoded) >= 4:
        yield from (decoded, json.dumps(decoded)[1:-1])
    for text in (secret, decoded):
        yield from (line for line in text.splitlines() if len(line) >= 8)
