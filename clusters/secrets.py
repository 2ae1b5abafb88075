"""Secrets at rest: Fernet tokens under rotatable keys (settings.ENCRYPTION_KEYS, newest first)."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.db.models import Model

_encrypted: list[tuple[str, str]] = []


class SecretUnreadable(Exception):  # noqa: N818 (a state of the secret, not a fault)
    """None of the encryption keys opens this secret: enter it again."""


def encrypt(secret: str) -> str:
    """The secret under the newest key; "" stays ""."""
    return _keys().encrypt(secret.encode()).decode() if secret else ""


def decrypt(token: str) -> str:
    """The secret in the clear; raises SecretUnreadable when its key is gone."""
    if not token:
        return ""
    try:
        return _keys().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadable from error


def rotate(token: str) -> str:
    """The same secret under the newest key; raises SecretUnreadable when its key is gone."""
    if not token:
        return ""
    try:
        return _keys().rotate(token.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadable from error


def register_encrypted(model: str, field: str) -> None:
    """Tell which column holds such tokens ("clusters.Connection", "secret_encrypted")."""
    if (model, field) not in _encrypted:
        _encrypted.append((model, field))


def encrypted_columns() -> Iterator[tuple[type[Model], str]]:
    """Every column that a change of keys concerns."""
    for model, field in _encrypted:
        yield apps.get_model(model), field


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key.encode()) for key in settings.ENCRYPTION_KEYS])
