"""Sigstore bundles v0.3 in key mode: a DSSE envelope and a hint which key signed it.

Stock cosign verifies what is written here. Sources:
https://github.com/sigstore/protobuf-specs/blob/v0.4.1/protos/sigstore_bundle.proto ,
https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
"""

import base64
import json
from dataclasses import dataclass

from skep.trust.documents import (
    MalformedDocument,
    member_bytes,
    member_list,
    member_object,
    member_text,
    parse_object,
)
from skep.trust.errors import MalformedBundle
from skep.trust.keys import Signer
from skep.trust.statements import (
    PAYLOAD_TYPE,
    SIGNATURE_PREDICATE,
    Statement,
    Subject,
    parse_statement,
    write_statement,
)

__all__ = [
    "BUNDLE_LIMIT",
    "BUNDLE_MEDIA_TYPE",
    "SIGNATURE_PREDICATE",
    "Bundle",
    "Subject",
    "parse_bundle",
    "pre_authentication_encoding",
    "sign",
]

BUNDLE_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
BUNDLE_LIMIT = 1 << 20  # bytes; a bundle of ours is about 600


@dataclass(frozen=True, slots=True)
class Bundle:
    """A parsed bundle; nothing in it is verified yet.

    Attributes:
        hint: base64 of the SHA-256 of the signer's public key; may be empty; ``None`` if it was
            signed with a certificate and not with a bare key.
        payload: the signed statement, as bytes.
        signature: ASN.1 DER.
        statement: the payload, parsed.
    """

    hint: str | None
    payload: bytes
    signature: bytes
    statement: Statement

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        return pre_authentication_encoding(PAYLOAD_TYPE, self.payload)


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Join type and payload so that no other pair gives the same bytes (DSSE "PAE").

    >>> pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign(subject: Subject, signer: Signer) -> bytes:
    """Sign the digest of ``subject``; gives a bundle as JSON.

    Nothing is logged in a transparency log and no time is attested: ``tlogEntries`` is empty.
    """
    payload = write_statement(subject)
    signature = signer.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    document = {
        "mediaType": BUNDLE_MEDIA_TYPE,
        "verificationMaterial": {
            "publicKey": {"hint": signer.public_key.hint},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode("ascii"),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode("ascii"), "keyid": ""}],
        },
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("utf-8")


def parse_bundle(data: bytes) -> Bundle:
    """Read a bundle. Unknown fields are ignored, as both specifications demand.

    Raises:
        MalformedBundle: longer than 1 MiB, not strict JSON, another media type or payload type,
            not exactly one signature, or a payload that is not one statement about one subject.
    """
    try:
        return _parse(data)
    except MalformedDocument as error:
        raise MalformedBundle(error.message, hint=error.hint) from error


def _parse(data: bytes) -> Bundle:
    what = "a Sigstore bundle"
    document = parse_object(data, BUNDLE_LIMIT, what)
    media_type = member_text(document, "mediaType", what)
    if media_type != BUNDLE_MEDIA_TYPE:
        raise MalformedDocument(f"expected {BUNDLE_MEDIA_TYPE}, got {media_type[:160]!r}")
    envelope = member_object(document, "dsseEnvelope", what)
    if "messageSignature" in document:
        raise MalformedDocument("expected a bundle with one content, got two")
    # DSSE confusion: a signature made for another type of payload must not be read as ours.
    payload_type = member_text(envelope, "payloadType", "an envelope")
    if payload_type != PAYLOAD_TYPE:
        raise MalformedDocument(
            f"expected a payload of type {PAYLOAD_TYPE}, got {payload_type[:160]!r}"
        )
    signatures = member_list(envelope, "signatures", "an envelope")
    # The bundle specification demands exactly one; with more, which one was it that held?
    if len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise MalformedDocument(f"expected exactly one signature, got {len(signatures)}")
    payload = member_bytes(envelope, "payload", "an envelope")
    return Bundle(
        _hint(member_object(document, "verificationMaterial", what)),
        payload,
        member_bytes(signatures[0], "sig", "a signature"),
        parse_statement(payload),
    )


def _hint(material: dict[str, object]) -> str | None:
    if "publicKey" not in material:
        if "certificate" in material or "x509CertificateChain" in material:
            return None
        raise MalformedDocument("expected a public key or a certificate in a bundle, got neither")
    if "certificate" in material or "x509CertificateChain" in material:
        raise MalformedDocument("expected a public key or a certificate in a bundle, got both")
    key = member_object(material, "publicKey", "verification material")
    return member_text(key, "hint", "a public key") if "hint" in key else ""
