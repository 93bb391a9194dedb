"""OpenID Connect as Intuit offers it: the signing key, id tokens and the claims of the user.

The user is invented. The key is the same in every emulator and therefore no secret: tokens stay valid after a restart,
and a client may keep the keys that it has fetched.

Sources: https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/openid-connect;
RFC 7515 (JWS), RFC 7517 (JWK), RFC 8017 section 8.2.1 (RSASSA-PKCS1-v1_5).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import random
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from vantage_quickbooks.emulator.json_text import compact

if TYPE_CHECKING:
    from collections.abc import Collection

ID_TOKEN_LIFETIME_S = 3600
_KEY_ID = "OPENIDDEFAULT"
_EXPONENT = 65_537
_PRIME_BITS = 1024
_ROUNDS = 16  # of the Miller-Rabin test; more than enough for random numbers of this size
# RFC 8017 section 9.2, note 1: the DigestInfo of SHA-256.
_SHA256_HEAD = bytes.fromhex("3031300d060960864801650304020105000420")

# What each scope adds to the claims of userinfo, in the order of Intuit's page.
_CLAIMS: dict[str, dict[str, Any]] = {
    "email": {"email": "robin.vale@juniperfinch.example", "emailVerified": True},
    "profile": {"givenName": "Robin", "familyName": "Vale"},
    "phone": {"phoneNumber": "+1 5105550142", "phoneNumberVerified": False},
    "address": {
        "address": {
            "streetAddress": "14 Webster St.",
            "locality": "Alameda",
            "region": "CA",
            "postalCode": "94501",
            "country": "US",
        }
    },
}


class _Key(NamedTuple):
    modulus: int
    private_exponent: int


def user_info(subject: str, scopes: Collection[str]) -> dict[str, Any]:
    """Return the claims of the user that some scopes allow."""
    claims: dict[str, Any] = {"sub": subject}
    for scope, more in _CLAIMS.items():
        if scope in scopes:
            claims |= more
    return claims


def subject_of(seed: int) -> str:
    """Return the identifier of the user, which the emulator's seed decides."""
    return str(uuid.UUID(bytes=hashlib.sha256(f"quickbooks-emulator user {seed}".encode()).digest()[:16]))


def jwks() -> dict[str, Any]:
    """Return the public key, as a JSON Web Key Set."""
    modulus = _key().modulus
    number = modulus.to_bytes((modulus.bit_length() + 7) // 8)
    exponent = _EXPONENT.to_bytes(3)
    return {
        "keys": [
            {
                "kty": "RSA",
                "e": _base64url(exponent),
                "use": "sig",
                "kid": _KEY_ID,
                "alg": "RS256",
                "n": _base64url(number),
            }
        ]
    }


def id_token(*, issuer: str, subject: str, audience: str, realm: str, now: float) -> str:
    """Sign an id token.

    Args:
        issuer: The issuer that the discovery document names.
        subject: The user.
        audience: The client id.
        realm: The company.
        now: Epoch seconds.
    """
    header = {"kid": _KEY_ID, "alg": "RS256"}
    issued = int(now)
    claims = {
        "sub": subject,
        "aud": [audience],
        "realmid": realm,
        "auth_time": issued,
        "iss": issuer,
        "exp": issued + ID_TOKEN_LIFETIME_S,
        "iat": issued,
    }
    signed = f"{_base64url(compact(header).encode())}.{_base64url(compact(claims).encode())}"
    return f"{signed}.{_base64url(_sign(signed.encode()))}"


def _sign(message: bytes) -> bytes:
    key = _key()
    size = (key.modulus.bit_length() + 7) // 8
    digest = _SHA256_HEAD + hashlib.sha256(message).digest()
    padded = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
    return pow(int.from_bytes(padded), key.private_exponent, key.modulus).to_bytes(size)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@functools.cache
def _key() -> _Key:
    """Generate the key; it takes about a second, once in a process that uses OpenID."""
    generator = random.Random("quickbooks-emulator signing key")
    first, second = _prime(generator), _prime(generator)
    return _Key(first * second, pow(_EXPONENT, -1, (first - 1) * (second - 1)))


def _prime(generator: random.Random) -> int:
    top = 3 << (_PRIME_BITS - 2)  # the product of two has exactly 2048 bits
    while True:
        number = generator.getrandbits(_PRIME_BITS) | top | 1
        if number % _EXPONENT != 1 and _is_prime(number, generator):
            return number


def _is_prime(number: int, generator: random.Random) -> bool:
    if any(number % small == 0 for small in _SMALL_PRIMES):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(_ROUNDS):
        value = pow(generator.randrange(2, number - 1), odd, number)
        if value in (1, number - 1):
            continue
        for _ in range(twos - 1):
            value = value * value % number
            if value == number - 1:
                break
        else:
            return False
    return True


_SMALL_PRIMES = [n for n in range(3, 2000, 2) if all(n % m for m in range(3, int(n**0.5) + 1, 2))]
