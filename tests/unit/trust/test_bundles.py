import base64
import json

import pytest
from tests.builders.trust import SUBJECT, make_bundle, signer

from skep.sigstore import LARGEST_BUNDLE
from skep.trust.bundles import parse_bundle, pre_authentication_encoding, sign
from skep.trust.errors import MalformedBundle


def test_a_bundle_has_the_shape_that_cosign_reads() -> None:
    document = json.loads(sign(SUBJECT, signer()))
    assert document["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert document["verificationMaterial"] == {
        "publicKey": {"hint": signer().public_key.hint},
        "tlogEntries": [],
    }
    assert document["dsseEnvelope"]["payloadType"] == "application/vnd.in-toto+json"
    statement = json.loads(base64.b64decode(document["dsseEnvelope"]["payload"]))
    assert statement == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": SUBJECT.name, "digest": {"sha256": SUBJECT.digest.hexadecimal}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    }


def test_what_is_signed_is_type_and_payload() -> None:
    bundle = parse_bundle(sign(SUBJECT, signer()))
    assert signer().public_key.has_signed(
        b"DSSEv1 28 application/vnd.in-toto+json %d " % len(bundle.payload) + bundle.payload,
        bundle.signature,
    )


def test_lengths_are_of_bytes_not_of_characters() -> None:
    assert pre_authentication_encoding("ü", b"") == b"DSSEv1 2 \xc3\xbc 0 "


def test_parse_reads_what_sign_wrote() -> None:
    bundle = parse_bundle(sign(SUBJECT, signer()))
    assert bundle.statement.digest == SUBJECT.digest
    assert bundle.hint == signer().public_key.hint


def test_unknown_fields_are_ignored() -> None:
    parse_bundle(make_bundle(change=lambda document: document.update(later={"x": 1})))


def test_a_certificate_is_told_from_a_key() -> None:
    bundle = parse_bundle(
        make_bundle(
            change=lambda document: document.update(
                verificationMaterial={"certificate": {"rawBytes": "AAAA"}}
            )
        )
    )
    assert bundle.hint is None


def test_a_chain_of_certificates_is_told_from_a_key_too() -> None:
    chain = {"x509CertificateChain": {"certificates": [{"rawBytes": "AAAA"}]}}
    bundle = parse_bundle(make_bundle(change=lambda d: d.update(verificationMaterial=chain)))
    assert bundle.hint is None


def test_a_key_that_is_not_named_leaves_the_hint_empty() -> None:
    material = {"publicKey": {"rawBytes": "AAAA"}}
    bundle = parse_bundle(make_bundle(change=lambda d: d.update(verificationMaterial=material)))
    assert bundle.hint == ""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"[]", "Sigstore bundle: expected an object", id="document"),
        pytest.param(
            make_bundle(change=lambda d: d.update(mediaType="text/plain")),
            "Sigstore bundle: mediaType: expected application/vnd.dev.sigstore.bundle.v0.3",
            id="media-type",
        ),
        pytest.param(
            make_bundle(payload_type="text/plain"),
            "Sigstore bundle: dsseEnvelope.payloadType: expected application/vnd.in-toto+json",
            id="payload-type",
        ),
        pytest.param(
            make_bundle(change=lambda d: d.update(messageSignature={})),
            "expected a bundle with one content",
            id="content",
        ),
        pytest.param(
            make_bundle(change=lambda d: d["dsseEnvelope"].update(signatures=[])),
            "expected exactly one signature, got 0",
            id="signatures",
        ),
        pytest.param(
            make_bundle(change=lambda d: d.update(verificationMaterial={})),
            "expected a public key or a certificate in a bundle, got neither",
            id="no-material",
        ),
        pytest.param(
            make_bundle(change=lambda d: d["verificationMaterial"].update(certificate={})),
            "expected a public key or a certificate in a bundle, got both",
            id="both-materials",
        ),
        pytest.param(
            make_bundle(change=lambda d: d["verificationMaterial"].update(publicKey="")),
            "Sigstore bundle: verificationMaterial.publicKey: expected an object",
            id="key-is-text",
        ),
        pytest.param(b"[" * 33 + b"]" * 33, "Sigstore bundle: expected at most 32", id="deep"),
        pytest.param(make_bundle(payload=b"hello"), "in-toto statement: not JSON", id="payload"),
        pytest.param(
            make_bundle(statement=lambda s: s.update(_type="x")),
            "in-toto statement: _type: expected https://in-toto.io/Statement/v1",
            id="statement-type",
        ),
        pytest.param(
            make_bundle(statement=lambda s: s.update(subject=[])),
            "expected a statement about one subject, got 0",
            id="subject",
        ),
        pytest.param(
            make_bundle(statement=lambda s: s["subject"][0].update(digest={})),
            "expected one digest of the subject, got 0",
            id="digests",
        ),
        pytest.param(
            make_bundle(statement=lambda s: s["subject"][0].update(digest={"sha1": "0" * 40})),
            "in a statement: ",
            id="digest",
        ),
    ],
)
def test_a_refusal_says_where_in_the_bundle(data: bytes, said: str) -> None:
    with pytest.raises(MalformedBundle) as caught:
        parse_bundle(data)
    assert caught.value.message.startswith(said)


def test_a_bundle_of_the_largest_size_is_read() -> None:
    data = make_bundle()
    parse_bundle(data + b" " * (LARGEST_BUNDLE - len(data)))
    with pytest.raises(MalformedBundle, match=f"at most {LARGEST_BUNDLE} bytes"):
        parse_bundle(data + b" " * (LARGEST_BUNDLE - len(data) + 1))


def _twice(key: str) -> bytes:
    """A bundle with the member ``key`` of the top level there twice."""
    text = make_bundle().decode()
    value = json.dumps(json.loads(text)[key])
    return ("{" + json.dumps(key) + ":" + value + "," + text[1:]).encode()


def _payload_twice() -> bytes:
    text = base64.b64decode(json.loads(make_bundle())["dsseEnvelope"]["payload"]).decode()
    other = json.dumps([{"name": "x", "digest": {"sha256": "0" * 64}}])
    return make_bundle(payload=('{"subject":' + other + "," + text[1:]).encode())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe{", id="not-utf-8"),
        pytest.param(make_bundle().decode().encode("utf-16"), id="utf-16"),
        pytest.param(b"\xef\xbb\xbf" + make_bundle(), id="byte-order-mark"),
        pytest.param(make_bundle() + b" " * LARGEST_BUNDLE, id="oversized"),
        pytest.param(b"[" * 100_000, id="deep-list"),
        pytest.param(b'{"a":' * 100_000, id="deep-object"),
        pytest.param(b'{"a":' * 40 + b"1" + b"}" * 40, id="too-deep"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"mediaType": NaN}', id="not-a-number"),
        pytest.param(b'{"n": ' + b"9" * 10_000 + b"}", id="huge-number"),
        pytest.param(make_bundle() + b"{}", id="two-documents"),
        pytest.param(_twice("dsseEnvelope"), id="envelope-twice"),
        pytest.param(_twice("mediaType"), id="media-type-twice"),
        pytest.param(_payload_twice(), id="subject-twice"),
    ],
)
def test_what_is_not_strict_json_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedBundle):
        parse_bundle(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            make_bundle(change=lambda d: d.update(mediaType="application/json")),
            id="another-media-type",
        ),
        pytest.param(
            make_bundle(
                change=lambda d: d.update(
                    mediaType="application/vnd.dev.sigstore.bundle+json;version=0.2"
                )
            ),
            id="older-version",
        ),
        pytest.param(make_bundle(change=lambda d: d.pop("mediaType")), id="no-media-type"),
        pytest.param(make_bundle(change=lambda d: d.pop("dsseEnvelope")), id="no-envelope"),
        pytest.param(
            make_bundle(change=lambda d: d.update(messageSignature={"signature": "AAAA"})),
            id="two-contents",
        ),
        pytest.param(make_bundle(change=lambda d: d.pop("verificationMaterial")), id="no-material"),
        pytest.param(
            make_bundle(change=lambda d: d.update(verificationMaterial={})), id="empty-material"
        ),
        pytest.param(
            make_bundle(
                change=lambda d: d["verificationMaterial"].update(certificate={"rawBytes": ""})
            ),
            id="key-and-certificate",
        ),
        pytest.param(
            make_bundle(
                change=lambda d: d["dsseEnvelope"]["signatures"].append(
                    d["dsseEnvelope"]["signatures"][0]
                )
            ),
            id="two-signatures",
        ),
        pytest.param(
            make_bundle(change=lambda d: d["dsseEnvelope"].update(signatures=[])),
            id="no-signatures",
        ),
        pytest.param(
            make_bundle(change=lambda d: d["dsseEnvelope"].update(signatures=["AAAA"])),
            id="signature-is-text",
        ),
        pytest.param(
            make_bundle(change=lambda d: d["dsseEnvelope"].update(payload="not base64!")),
            id="payload-not-base64",
        ),
        pytest.param(
            make_bundle(change=lambda d: d["dsseEnvelope"].update(payload=["AAAA"])),
            id="payload-is-list",
        ),
        pytest.param(
            make_bundle(change=lambda d: d["dsseEnvelope"]["signatures"][0].update(sig="\ud800")),
            id="surrogate",
        ),
        pytest.param(make_bundle(payload_type="text/plain"), id="another-payload-type"),
        pytest.param(make_bundle(payload=b"hello"), id="payload-not-json"),
        pytest.param(
            make_bundle(statement=lambda s: s.update(_type="https://in-toto.io/Statement/v0.1")),
            id="older-statement",
        ),
        pytest.param(make_bundle(statement=lambda s: s.update(subject=[])), id="no-subject"),
        pytest.param(
            make_bundle(statement=lambda s: s["subject"].append(s["subject"][0])),
            id="two-subjects",
        ),
        pytest.param(
            make_bundle(statement=lambda s: s["subject"][0].update(digest={"sha1": "0" * 40})),
            id="sha1",
        ),
        pytest.param(
            make_bundle(statement=lambda s: s["subject"][0]["digest"].update(sha512="0" * 128)),
            id="two-digests",
        ),
        pytest.param(
            make_bundle(statement=lambda s: s["subject"][0].update(digest={})), id="no-digest"
        ),
        pytest.param(
            make_bundle(
                statement=lambda s: s["subject"][0].update(
                    digest={"sha256": SUBJECT.digest.hexadecimal.upper()}
                )
            ),
            id="upper-case",
        ),
        pytest.param(
            make_bundle(statement=lambda s: s.pop("predicateType")), id="no-predicate-type"
        ),
    ],
)
def test_what_is_not_one_statement_about_one_subject_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedBundle):
        parse_bundle(data)
