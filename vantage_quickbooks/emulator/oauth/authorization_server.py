"""OAuth 2.0 as Intuit implements it: codes, tokens, rotation, expiry and revocation.

All random values depend on the seed: the same requests in the same order return the same tokens. A reset continues the
sequence, so that no token is issued twice.

A *chain* (refresh token family) begins with one authorization: its refresh token changes its value, access tokens are
issued from it, and revoking any of its tokens ends it. The refresh token changes after 24 hours (`rotation="daily"`) or
at every refresh (`"always"`). The previous value stops working at once, as Intuit's help article says, or after a grace
period, as the README of Intuit's client says.

Sources: https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0,
https://help.developer.intuit.com/s/article/Validity-of-Refresh-Token, https://github.com/intuit/oauth-jsclient#readme.
"""

from __future__ import annotations

import base64
import math
import random
import string
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote_plus

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.oauth import openid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Rotation = Literal["daily", "always"]

REFRESH_TOKEN_LIFETIME_S = 8_726_400  # 101 days at issue (recorded, intuit/oauth-jsclient test/mocks)
HARD_LIFETIME_S = 157_680_000
"""Five years. Source: https://blogs.intuit.com/2025/11/12/important-changes-to-refresh-token-policy."""
# The five years of an older authorization count from the day of the policy (the same source): accounting and payments
# from October 2023, so that the first tokens end in October 2028; restricted scopes from February 2022.
_FIRST_END = datetime(2028, 10, 1, tzinfo=UTC).timestamp()
_RESTRICTED_FIRST_END = datetime(2027, 2, 1, tzinfo=UTC).timestamp()
ROTATION_PERIOD_S = 86_400  # "24 to 26 hours" (Intuit staff, oauth-jsclient issue 74)
CODE_LIFETIME_S = 600  # RFC 6749 section 4.1.2 recommends this at most; Intuit's is not documented
ACCOUNTING_SCOPE = "com.intuit.quickbooks.accounting"
OPENID_SCOPE = "openid"
_UNRESTRICTED_SCOPES = frozenset(
    {ACCOUNTING_SCOPE, "com.intuit.quickbooks.payment", "openid", "profile", "email", "phone", "address"}
)
MARK = "emulator"  # in client ids, client secrets and refresh tokens, to distinguish them from Intuit's
_MAX_ACCESS_TOKENS = 2_000  # beyond these, expired ones are forgotten and then unknown
_ALPHABET = string.ascii_letters + string.digits
_JWE_HEAD = base64.urlsafe_b64encode(b'{"alg":"dir","enc":"A128CBC-HS256"}').rstrip(b"=").decode()


class OAuthError(Exception):
    """A refusal of the token endpoint.

    Attributes:
        status: HTTP status.
        body: The JSON body, in order.
    """

    def __init__(self, status: int, body: dict[str, str]) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


def _invalid_grant(description: str | None = None) -> OAuthError:
    described = {"error_description": description} if description else {}
    return OAuthError(400, {"error": "invalid_grant"} | described)


@dataclass(slots=True)
class Chain:
    """A refresh token family, which one authorization started."""

    realm: str
    refresh_token: str
    issued_at: float  # when the refresh token got its current value
    hard_end: float
    scopes: frozenset[str]
    revoked: bool = False

    def has_ended(self, now: float) -> bool:
        """Return whether the refresh token no longer works.

        That is so once it is revoked, 101 days after its value last changed, and five years after the authorization.

        Args:
            now: Epoch seconds.
        """
        return self.revoked or now >= min(self.issued_at + REFRESH_TOKEN_LIFETIME_S, self.hard_end)


@dataclass(slots=True)
class AccessToken:
    """An access token that was issued."""

    chain: Chain
    expires_at: float
    handle: str  # the text by which Intuit quotes the token once it has expired (recorded, 2020)
    revoked_reason: str = ""  # empty unless it was revoked before it expired


@dataclass(slots=True)
class _Code:
    realm: str
    redirect_uri: str
    scopes: frozenset[str]
    expires_at: float
    chain: Chain | None = None  # the chain that it was exchanged for


@dataclass(slots=True)
class _PreviousToken:
    """A value of a refresh token that has been replaced."""

    chain: Chain
    expires_at: float


class AuthorizationServer:
    """One app at Intuit, with its grants and tokens. Thread-safe.

    Attributes:
        first_refresh_token: The first grant's; the seed decides it.
        granted_refresh_token: The latest grant's for the first company.
        subject: The identifier of the user who authorizes the app.

    Args:
        seed: Decides client id, client secret and the first refresh token.
        realm_id: The company of the first grant.
        now: Returns the time as epoch seconds.
        rotation: `daily` or `always`.
        previous_token_grace_s: Seconds for which a replaced refresh token still works.
        access_token_lifetime_s: Seconds for which a new access token is valid.
    """

    def __init__(
        self,
        *,
        seed: int,
        realm_id: str,
        now: Callable[[], float],
        rotation: Rotation,
        previous_token_grace_s: float,
        access_token_lifetime_s: int,
    ) -> None:
        if rotation not in ("daily", "always"):
            raise ValueError("rotation is 'daily' or 'always'")
        self._seed = seed
        self.subject = openid.subject_of(seed)
        self._realm_id = realm_id
        self._now = now
        self.rotation = rotation
        self.previous_token_grace_s = previous_token_grace_s
        self.access_token_lifetime_s = access_token_lifetime_s
        self._lock = threading.RLock()
        self._random = random.Random(f"quickbooks-emulator tokens {seed}")
        self.reset()

    def reset(self) -> None:
        """Restore the app's first secret and its first grant, and forget the rest."""
        generator = random.Random(f"quickbooks-emulator {self._seed}")
        with self._lock:
            self.client_id = f"AB{MARK}" + "".join(generator.choices(_ALPHABET, k=40))
            self.client_secret = MARK + "".join(generator.choices(_ALPHABET, k=32))
            self._chains: dict[str, Chain] = {}
            self._previous: dict[str, _PreviousToken] = {}
            self._access_tokens: dict[str, AccessToken] = {}
            self._codes: dict[str, _Code] = {}
            # The seed decides the first token, not the day, so that pasted settings stay valid.
            tail = MARK + "".join(generator.choices(_ALPHABET, k=12))
            self.first_refresh_token = (
                f"RT1-{generator.randrange(10, 99)}-H0-{1_800_000_000 + self._seed % 10**8}{tail}"
            )
            self.granted_refresh_token = self.first_refresh_token
            self._new_chain(self._realm_id, self.first_refresh_token)

    # ---- what the emulator's owner may do ----

    def replace_first_grant(self) -> None:
        """Give the first grant another refresh token, which no client remembers."""
        with self._lock:
            del self._chains[self.first_refresh_token]
            self.first_refresh_token = self.grant(self._realm_id)

    def grant(
        self, realm_id: str, *, scopes: Iterable[str] = (ACCOUNTING_SCOPE,), authorized_at: float | None = None
    ) -> str:
        """Authorize the app again for a company.

        Args:
            realm_id: The company.
            scopes: What the person consents to.
            authorized_at: Epoch seconds of the consent, from which the five years count; None is now.

        Returns:
            The refresh token of the new chain.
        """
        with self._lock:
            chain = self._new_chain(realm_id, self._new_refresh_token(), frozenset(scopes), authorized_at)
            token = chain.refresh_token
            if realm_id == self._realm_id:
                self.granted_refresh_token = token
            return token

    def expire_access_tokens(self) -> int:
        """Expire every access token now, and return how many were valid."""
        with self._lock:
            alive = [token for token in self._access_tokens.values() if token.expires_at > self._now()]
            for token in alive:
                token.expires_at = self._now()
            return len(alive)

    def revoke_grants(self, realm_id: str | None = None) -> int:
        """End every chain, or those of one company, as a user does by disconnecting the app; return how many ended."""
        with self._lock:
            alive = [c for c in self._chains.values() if not c.revoked and realm_id in (None, c.realm)]
            for chain in alive:
                chain.revoked = True
            return len(alive)

    def remove_grants(self, realm_id: str) -> None:
        """End and forget every chain of a company."""
        with self._lock:
            for token, chain in list(self._chains.items()):
                if chain.realm == realm_id:
                    chain.revoked = True
                    del self._chains[token]

    def rotate_client_secret(self, new: str | None, *, invalidate_tokens: bool) -> str:
        """Change the app's client secret, and return it; None generates one. See `World`."""
        with self._lock:
            self.client_secret = new or MARK + self._random_text(32)
            if invalidate_tokens:
                for token in self._access_tokens.values():
                    token.revoked_reason = token.revoked_reason or "Token revoked"
            return self.client_secret

    def state(self) -> dict[str, object]:
        """Return counts of grants and tokens and the options, as JSON data without secrets."""
        now = self._now()
        with self._lock:
            return {
                "grants": sum(not c.revoked for c in self._chains.values()),
                "access_tokens_alive": sum(
                    t.expires_at > now and not t.revoked_reason and not t.chain.revoked
                    for t in self._access_tokens.values()
                ),
                "rotation": self.rotation,
                "previous_token_grace_s": self.previous_token_grace_s,
                "access_token_lifetime_s": self.access_token_lifetime_s,
            }

    # ---- what an app may do ----

    def issue_code(self, realm_id: str, redirect_uri: str, scopes: Iterable[str] = (ACCOUNTING_SCOPE,)) -> str:
        """Issue an authorization code for one use, once a person has consented.

        Args:
            realm_id: The company that the person chose.
            redirect_uri: The URI to which the code is bound.
            scopes: The scopes that the person consented to.
        """
        with self._lock:
            code = "AB1" + self._random_text(47)
            self._codes[code] = _Code(realm_id, redirect_uri, frozenset(scopes), self._now() + CODE_LIFETIME_S)
            return code

    def token(
        self, form: Mapping[str, str], authorization: str | None, *, hard_expiry: bool, issuer: str = ""
    ) -> dict[str, object]:
        """Answer a token request.

        Args:
            form: The fields of the body.
            authorization: The header, or None when the credentials are in the form.
            hard_expiry: Whether the request asks for the end of the five years too.
            issuer: The issuer of id tokens.

        Returns:
            The JSON body, in recorded order.

        Raises:
            OAuthError: In one of Intuit's wordings.

        Source: Intuit, "OAuth 2.0"; recorded (oauth-jsclient mocks, LedgerSync token-invalid_client.yml).
        """
        with self._lock:
            self._authenticate(form, authorization)
            grant = form.get("grant_type")
            if grant == "refresh_token":
                chain = self._refresh(form.get("refresh_token"))
            elif grant == "authorization_code":
                chain = self._exchange(form.get("code"), form.get("redirect_uri"))
            elif grant:
                raise OAuthError(400, {"error": "unsupported_grant_type"})  # RFC 6749 section 5.2
            else:
                raise OAuthError(400, {"error": "invalid_request"})  # DotNET-SDK issue 342
            now = self._now()
            answer: dict[str, object] = {
                "x_refresh_token_expires_in": math.ceil(chain.issued_at + REFRESH_TOKEN_LIFETIME_S - now),
                "refresh_token": chain.refresh_token,
                "access_token": self._new_access_token(chain),
                "token_type": "bearer",
                "expires_in": self.access_token_lifetime_s,
            }
            if grant == "authorization_code" and OPENID_SCOPE in chain.scopes:
                answer["id_token"] = openid.id_token(
                    issuer=issuer, subject=self.subject, audience=self.client_id, realm=chain.realm, now=now
                )
            if hard_expiry:
                answer["x_refresh_token_hard_expires_in"] = math.ceil(chain.hard_end - now)
            return answer

    def revoke(self, token: str | None, form: Mapping[str, str], authorization: str | None) -> None:
        """Disconnect the app from a company: revoking either token ends the grant.

        Args:
            token: An access or refresh token.
            form: May contain client id and secret.
            authorization: The header.

        Raises:
            OAuthError: 401 for a wrong client, 400 for an unknown token.

        Source: Intuit, "OAuth 2.0", revoke; the 400's body is not recorded.
        """
        with self._lock:
            self._authenticate(form, authorization)
            known = self._access_tokens.get(token or "")
            past = self._previous.get(token or "")
            chain = known.chain if known else past.chain if past else self._chains.get(token or "")
            if chain is None or chain.revoked:
                raise OAuthError(400, {"error": "invalid_request"})
            chain.revoked = True

    def check(self, token: str) -> Chain:
        """Check an access token.

        Args:
            token: From the Authorization header.

        Returns:
            The chain that it belongs to.

        Raises:
            Fault: 401, code 3200.

        Source: recorded, 2020 (expired), transcribed, August 2026 (malformed); the words for
        unknown and revoked tokens are ours.
        """
        with self._lock:
            known = self._access_tokens.get(token)
            if known is None:
                plausible = 100 <= len(token) <= 4096  # Intuit documents the upper bound
                detail = "Token invalid" if plausible else "Malformed bearer token: too short or too long"
                raise errors.authentication_failed(detail)
            if known.revoked_reason or known.chain.revoked:
                raise errors.authentication_failed(f"{known.revoked_reason or 'Token revoked'}: {known.handle}")
            if known.expires_at <= self._now():
                raise errors.authentication_failed(f"Token expired: {known.handle}")
            return known.chain

    def handle_of(self, token: str) -> str:
        """Return the fifty characters by which Intuit quotes an access token; random ones for an unknown token."""
        with self._lock:
            known = self._access_tokens.get(token)
            return known.handle if known else self._new_handle(self._now())

    # ---- rules ----

    def _authenticate(self, form: Mapping[str, str], authorization: str | None) -> None:
        """Check client id and secret, from the header or from the form (recorded, LedgerSync)."""
        client_id, client_secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, encoded = (authorization or "").partition(" ")
        if scheme.lower() == "basic":
            try:
                decoded = base64.b64decode(encoded.strip(), validate=True).decode()
            except ValueError:  # not base64, or not text
                decoded = ":"
            client_id, _, client_secret = decoded.partition(":")
        # RFC 6749 section 2.3.1 form-encodes both before Basic, which few clients do: accept either form.
        given = {f"{client_id}:{client_secret}", f"{unquote_plus(client_id)}:{unquote_plus(client_secret)}"}
        if f"{self.client_id}:{self.client_secret}" not in given:
            raise OAuthError(401, {"error": "invalid_client"})

    def _refresh(self, token: str | None) -> Chain:
        if not token:
            raise OAuthError(400, {"error": "invalid_request"})
        now = self._now()
        chain = self._chains.get(token)
        if chain is None:
            return self._refresh_by_previous(token, now)
        if chain.has_ended(now):
            raise _invalid_grant("Incorrect or invalid refresh token")
        if self.rotation == "always" or now - chain.issued_at >= ROTATION_PERIOD_S:
            self._rotate(chain, now)
        return chain

    def _refresh_by_previous(self, token: str, now: float) -> Chain:
        past = self._previous.get(token)
        if past is not None:
            if now < past.expires_at and not past.chain.has_ended(now):
                return past.chain
            raise _invalid_grant()  # Intuit's log behind this wording: "Refresh token not found"
        if token in self._access_tokens:
            raise _invalid_grant(
                "Incorrect Token type or clientID"
            )  # github.com/intuit/QuickBooks-V3-PHP-SDK/issues/240
        raise _invalid_grant("Incorrect or invalid refresh token")  # python-quickbooks issue 397

    def _rotate(self, chain: Chain, now: float) -> None:
        del self._chains[chain.refresh_token]
        self._previous[chain.refresh_token] = _PreviousToken(chain, now + self.previous_token_grace_s)
        chain.refresh_token = self._new_refresh_token()
        chain.issued_at = now
        self._chains[chain.refresh_token] = chain

    def _exchange(self, code: str | None, redirect_uri: str | None) -> Chain:
        if not code:
            raise OAuthError(400, {"error": "invalid_request"})
        known = self._codes.get(code)
        if known is not None and known.chain is not None:
            known.chain.revoked = True  # a code sent twice ends what it was exchanged for (Intuit, "OAuth 2.0")
        if known is None or known.chain or known.expires_at <= self._now() or known.redirect_uri != redirect_uri:
            raise _invalid_grant("Token invalid")  # recorded, 2018 (oauth-jsclient errorResponse.json)
        known.chain = self._new_chain(known.realm, self._new_refresh_token(), known.scopes)
        return known.chain

    def _new_chain(
        self,
        realm: str,
        refresh_token: str,
        scopes: frozenset[str] = frozenset({ACCOUNTING_SCOPE}),
        authorized_at: float | None = None,
    ) -> Chain:
        now = self._now()
        first_end = _FIRST_END if scopes <= _UNRESTRICTED_SCOPES else _RESTRICTED_FIRST_END
        hard_end = max((now if authorized_at is None else authorized_at) + HARD_LIFETIME_S, first_end)
        chain = Chain(realm, refresh_token, now, hard_end, scopes)
        self._chains[refresh_token] = chain
        return chain

    def _random_text(self, number: int) -> str:
        with self._lock:
            return "".join(self._random.choices(_ALPHABET, k=number))

    def _new_refresh_token(self) -> str:
        """Generate a token in today's form: `RT1-<n>-H0-<epoch of expiry><20 alphanumerics>` (public code, 2025)."""
        epoch = int(self._now()) + REFRESH_TOKEN_LIFETIME_S
        return f"RT1-{self._random.randrange(10, 100)}-H0-{epoch}{MARK}{self._random_text(12)}"

    def _new_access_token(self, chain: Chain) -> str:
        """Issue a token that looks like a JWE: five parts, the second empty (recorded)."""
        token = f"{_JWE_HEAD}..{self._random_text(22)}.{self._random_text(747)}.{self._random_text(22)}"
        now = self._now()
        expires_at = now + self.access_token_lifetime_s
        if len(self._access_tokens) >= _MAX_ACCESS_TOKENS:
            self._access_tokens = {
                value: known for value, known in self._access_tokens.items() if known.expires_at > now
            }
        self._access_tokens[token] = AccessToken(chain, expires_at, self._new_handle(expires_at))
        return token

    def _new_handle(self, epoch: float) -> str:
        return f"AB0{int(epoch):011d}{self._random_text(36)}"
