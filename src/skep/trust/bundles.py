"""Sigstore bundles v0.3 in key mode: a DSSE envelope and a hint which key signed it.

Stock cosign verifies what is written here. Sources:
https://github.com/sigstore/protobuf-specs/blob/v0.4.1/protos/sigstore_bundle.proto ,
https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
"""

from dataclasses import dataclass

from skep.json_documents import (
    JsonValue,
    MalformedDocument,
    base64_text,
    canonical_json,
    parse_json,
)
from skep.sigstore import BUNDLE, LARGEST_BUNDLE
from skep.trust.errors import MalformedBundle
from skep.trust.keys import Signer
from skep.trust.statements import PAYLOAD_TYPE, Statement, Subject, parse_statement, write_statement

__all__ = [
    "Bundle",
    "Subject",
    "parse_bundle",
    "pre_authentication_encoding",
    "sign",
]


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
        "mediaType": BUNDLE,
        "verificationMaterial": {
            "publicKey": {"hint": signer.public_key.hint},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": base64_text(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64_text(signature), "keyid": ""}],
        },
    }
    return canonical_json(document)


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
    what = "Sigstore bundle"
    document = JsonValue(parse_json(data, what, LARGEST_BUNDLE), what)
    if document["mediaType"].text() != BUNDLE:
        raise document["mediaType"].wrong(BUNDLE)
    envelope = document["dsseEnvelope"]
    if "messageSignature" in document:
        raise MalformedDocument("expected a bundle with one content, got two")
    # DSSE confusion: a signature made for another type of payload must not be read as ours.
    if envelope["payloadType"].text() != PAYLOAD_TYPE:
        raise envelope["payloadType"].wrong(PAYLOAD_TYPE)
    signatures = envelope["signatures"].items()
    # The bundle specification demands exactly one; with more, which one was it that held?
    if len(signatures) != 1:
        raise MalformedDocument(f"expected exactly one signature, got {len(signatures)}")
    payload = envelope["payload"].octets()
    return Bundle(
        _hint(document["verificationMaterial"]),
        payload,
        signatures[0]["sig"].octets(),
        parse_statement(payload),
    )


def _hint(material: JsonValue) -> str | None:
    has_certificate = "certificate" in material or "x509CertificateChain" in material
    if "publicKey" not in material:
        if has_certificate:
            return None
        raise MalformedDocument("expected a public key or a certificate in a bundle, got neither")
    if has_certificate:
        raise MalformedDocument("expected a public key or a certificate in a bundle, got both")
    key = material["publicKey"]
    key.table()
    return key["hint"].text() if "hint" in key else ""
