"""Seals a secret before it is kept, with a key that only who has the connection can make.

A copy of the warehouse, or a person who may read it, then learns nothing: the key follows from the refresh token that
was entered in the connection, which is kept there alone.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from trueup.domain.errors import Permanent


class Seal:
    """For what follows from one connection's refresh token. `name` is where it is kept; it tells nothing of either."""

    def __init__(self, conn_id: str, origin: str) -> None:
        self._conn_id = conn_id
        self._origin = origin
        self.name = hashlib.sha256(f"{conn_id}\x1f{origin}".encode()).hexdigest()

    def closed(self, text: str) -> bytes:
        """Return the text sealed."""
        return self._cipher().encrypt(text.encode())

    def opened(self, content: bytes | None) -> str | None:
        """Return the text, None where nothing is kept; `Permanent` where it was not sealed here."""
        if content is None:
            return None
        try:
            text = self._cipher().decrypt(content)
        except InvalidToken as error:
            raise Permanent(
                f"connection '{self._conn_id}': the refresh token that is kept for it cannot be opened; authorize the"
                " app again and enter the new refresh token"
            ) from error
        return text.decode()

    def _cipher(self) -> Fernet:
        key = HKDF(SHA256(), 32, salt=self._conn_id.encode(), info=b"trueup refresh token").derive(
            self._origin.encode()
        )
        return Fernet(base64.urlsafe_b64encode(key))
