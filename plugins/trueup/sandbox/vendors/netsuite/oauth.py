"""OAuth 2.0 client credentials by certificate: an assertion signed with the key whose certificate is registered.

As in Oracle's "OAuth 2.0 Client Credentials Flow" pages. Lives on real time, whatever the world's clock says.
"""

import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from trueup.sandbox.vendors.credentials import AccessTokens, OAuthRefusal, bearer_in

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS: Final = ("PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
TOKEN_SECONDS: Final = 3600
_LONGEST_ASSERTION: Final = 3600
_SKEW_SECONDS: Final = 60
_SCOPE: Final = "rest_webservices"


class Authorization:
    """The account's one integration: its client id, its certificate's id and key, and the tokens given out."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.client_id = secrets.token_hex(32)
        self.certificate_id = secrets.token_urlsafe(32)
        key = ec.generate_private_key(ec.SECP256R1())
        self.private_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self._public_key = ECKey.import_key(public.decode())
        self.tokens = AccessTokens(clock)
        self._assertions: deque[str] = deque(maxlen=64)

    def grant(self, form: Mapping[str, str], token_url: str) -> Mapping[str, Any]:
        """The token endpoint's answer; `OAuthRefusal` where the request or its assertion does not hold."""
        if form.get("grant_type") != "client_credentials":
            raise OAuthRefusal("unsupported_grant_type")
        if form.get("client_assertion_type") != ASSERTION_TYPE or not form.get("client_assertion"):
            raise OAuthRefusal("invalid_request")
        self._assertions.append(form["client_assertion"])
        self._check(form["client_assertion"], token_url)
        token = secrets.token_urlsafe(48)
        self.tokens.give(token, TOKEN_SECONDS)
        return {"access_token": token, "expires_in": str(TOKEN_SECONDS), "token_type": "Bearer"}

    def is_valid(self, header: str | None) -> bool:
        """Whether an Authorization header carries a token that is still good."""
        return self.tokens.is_good(bearer_in(header))

    def secrets(self) -> list[str]:
        """What must not be told to anybody: ids and key, tokens in use, the assertions they were got with."""
        return [self.private_key, self.client_id, self.certificate_id, *self.tokens.secrets(), *self._assertions]

    def _check(self, assertion: str, token_url: str) -> None:
        try:
            token = jwt.decode(assertion, self._public_key, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError) as error:
            raise OAuthRefusal("invalid_grant") from error
        claims, now = token.claims, self._clock()
        issued, ends = claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int | float) or not isinstance(ends, int | float):
            raise OAuthRefusal("invalid_grant")
        scope = claims.get("scope", "")
        scopes = scope if isinstance(scope, list) else [part.strip() for part in str(scope).split(",")]
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        is_good = (
            token.header.get("kid") == self.certificate_id
            and claims.get("iss") == self.client_id
            and token_url in audiences
            and _SCOPE in scopes
            and now < ends <= issued + _LONGEST_ASSERTION
            and issued <= now + _SKEW_SECONDS
        )
        if not is_good:
            raise OAuthRefusal("invalid_grant")
