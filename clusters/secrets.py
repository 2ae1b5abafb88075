"""Secrets at rest: Fernet tokens under rotatable keys (settings.ENCRYPTION_KEYS, newest first)."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


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
    """The same secret under the newest key."""
    return _keys().rotate(token.encode()).decode() if token else ""


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key.encode()) for key in settings.ENCRYPTION_KEYS])
