"""Keeps secrets that have to be read again, such as tokens, encrypted in the database.

The key is derived from SECRET_KEY (HKDF, RFC 5869), which is not in the database. After SECRET_KEY was changed, what
its predecessors encrypted can still be read as long as SLIPWAY_SECRET_KEY_FALLBACKS names them.
"""

import base64
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models

_PURPOSE = b"slipway secrets at rest"


class Undecipherable(Exception):
    """What is stored was encrypted with a key that is not known any more."""


def encrypt(text: str) -> str:
    """Return the text as it may be stored."""
    return _cipher(_keys()).encrypt(text.encode()).decode()


def decrypt(stored: str) -> str:
    """Return the text again. Raises Undecipherable."""
    try:
        return _cipher(_keys()).decrypt(stored.encode()).decode()
    except InvalidToken as error:
        raise Undecipherable(
            "A stored secret cannot be read: it was encrypted with another SLIPWAY_SECRET_KEY. Name the former one"
            " in SLIPWAY_SECRET_KEY_FALLBACKS, or set the secret anew."
        ) from error


def _keys() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_derive(key)) for key in keys])


def _derive(key: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
    return base64.urlsafe_b64encode(derived)


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """A text that rests encrypted. Its column cannot be searched."""

    def get_prep_value(self, value: Any) -> Any:
        return value if value in (None, "") else encrypt(str(value))

    def from_db_value(self, value: Any, *_: Any) -> "str | None":
        return value if value in (None, "") else decrypt(value)
