"""Keys and bundles for tests: valid, with one thing changed."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from skep.digests import Digest
from skep.sigstore import BUNDLE
from skep.trust.bundles import Subject, pre_authentication_encoding
from skep.trust.keys import Signer, create_private_key, load_private_key
from skep.trust.statements import PAYLOAD_TYPE, write_statement

NOW = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)
SUBJECT = Subject("skep/ratelimiting", Digest.of(b"manifest"))
OTHER_SUBJECT = Subject("skep/ratelimiting", Digest.of(b"another manifest"))

Change = Callable[[dict[str, Any]], object]


def signer(who: str = "publisher") -> Signer:
    """The key of ``who``, the same within one run."""
    return _key_of(who)


@cache
def _key_of(_: str) -> Signer:
    return load_private_key(create_private_key())


def private_pem(curve: ec.EllipticCurve) -> bytes:
    """A private key over any curve."""
    return ec.generate_private_key(curve).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_pem(curve: ec.EllipticCurve) -> bytes:
    """A public key over any curve."""
    return (
        ec.generate_private_key(curve)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def make_bundle(
    subject: Subject = SUBJECT,
    by: Signer | None = None,
    *,
    payload: bytes | None = None,
    statement: Change | None = None,
    payload_type: str = PAYLOAD_TYPE,
    hint: str | None = None,
    change: Change | None = None,
) -> bytes:
    """A bundle whose signature holds over what it contains, until ``change`` is applied.

    Args:
        subject: of the statement.
        by: who signs.
        payload: instead of a statement.
        statement: changes the statement before it is signed.
        payload_type: written and signed.
        hint: instead of the signer's.
        change: changes the finished document, after signing.
    """
    by = by or signer()
    if payload is None:
        content: dict[str, Any] = json.loads(write_statement(subject))
        if statement:
            statement(content)
        payload = json.dumps(content).encode()
    document: dict[str, Any] = {
        "mediaType": BUNDLE,
        "verificationMaterial": {
            "publicKey": {"hint": by.public_key.hint if hint is None else hint},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": payload_type,
            "signatures": [
                {
                    "sig": base64.b64encode(
                        by.sign(pre_authentication_encoding(payload_type, payload))
                    ).decode(),
                    "keyid": "",
                }
            ],
        },
    }
    if change:
        change(document)
    return json.dumps(document).encode()
