import base64
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.trust import NOW, OTHER_SUBJECT, SUBJECT, make_bundle, signer

from skep.digests import Digest
from skep.errors import Untrusted
from skep.sigstore import MOST_BUNDLES
from skep.trust.bundles import sign
from skep.trust.policies import InsecureAcceptAll, RequireKey
from skep.trust.verifying import (
    SignatureInvalid,
    Subject,
    UnknownKey,
    Unsigned,
    verify,
    verify_calling,
)

POLICY = RequireKey((signer().public_key,))
_BUNDLE = sign(SUBJECT, signer())  # once: a signature has other bytes each time


def test_a_signature_by_an_accepted_key_is_evidence() -> None:
    evidence = verify(SUBJECT, [sign(SUBJECT, signer())], POLICY, NOW)
    assert evidence.kind == "key"
    assert evidence.fingerprint == signer().public_key.fingerprint
    assert evidence.verified_at == NOW
    assert len(evidence.checked) == 5
    assert str(SUBJECT.digest) in evidence.checked[-1]


def test_any_of_several_keys_will_do() -> None:
    policy = RequireKey((signer("another").public_key, signer().public_key))
    assert verify(SUBJECT, [sign(SUBJECT, signer())], policy, NOW).fingerprint == (
        signer().public_key.fingerprint
    )


def test_a_bundle_without_a_hint_is_tried_with_every_key() -> None:
    policy = RequireKey((signer("another").public_key, signer().public_key))
    assert verify(SUBJECT, [make_bundle(hint="")], policy, NOW).kind == "key"


def test_one_good_bundle_among_bad_ones_suffices() -> None:
    bundles = [b"garbage", make_bundle(by=signer("stranger")), make_bundle(OTHER_SUBJECT)]
    assert verify(SUBJECT, [*bundles, sign(SUBJECT, signer())], POLICY, NOW).kind == "key"


def test_sha512_subjects_work() -> None:
    subject = Subject("a/b", Digest.of(b"x", "sha512"))
    assert verify(subject, [sign(subject, signer())], POLICY, NOW).kind == "key"


def test_no_bundle_is_unsigned() -> None:
    with pytest.raises(Unsigned):
        verify(SUBJECT, [], POLICY, NOW)


def test_a_policy_without_keys_accepts_nothing() -> None:
    with pytest.raises(UnknownKey):
        verify(SUBJECT, [sign(SUBJECT, signer())], RequireKey(()), NOW)
    with pytest.raises(UnknownKey):
        verify(SUBJECT, [make_bundle(hint="")], RequireKey(()), NOW)


def test_accepting_everything_says_so_and_names_no_key() -> None:
    evidence = verify(SUBJECT, [], InsecureAcceptAll(), NOW)
    assert evidence.kind == "insecure"
    assert evidence.fingerprint == ""


def test_a_stranger_is_unknown() -> None:
    with pytest.raises(UnknownKey):
        verify(SUBJECT, [sign(SUBJECT, signer("stranger"))], POLICY, NOW)
    with pytest.raises(UnknownKey):
        verify(SUBJECT, [make_bundle(by=signer("stranger"), hint="")], POLICY, NOW)


def test_the_refusal_of_a_key_names_publisher_fingerprint_and_command() -> None:
    subject = replace(SUBJECT, origin="market.example")
    with pytest.raises(UnknownKey) as caught:
        verify(subject, [sign(subject, signer("stranger"))], RequireKey(()), NOW)
    error, fingerprint = caught.value, signer("stranger").public_key.fingerprint
    assert (error.publisher, error.fingerprint) == ("skep", fingerprint)
    assert f"signed by {fingerprint}; no key of skep is trusted here" in error.message
    assert error.hint == "skep keys trust skep --from market.example"


def test_another_key_of_a_publisher_that_is_known_is_not_just_unknown() -> None:
    with pytest.raises(UnknownKey) as caught:
        verify(SUBJECT, [sign(SUBJECT, signer("stranger"))], POLICY, NOW)
    assert "not trusted here for skep" in caught.value.message
    assert f"trusted for skep: {signer().public_key.fingerprint}" in caught.value.hint
    assert "skep keys trust skep --from MARKETPLACE" in caught.value.hint


def test_a_hint_that_is_no_digest_does_not_reach_the_screen() -> None:
    bundle = make_bundle(by=signer("stranger"), hint="\x1b[2J")
    with pytest.raises(UnknownKey) as caught:
        verify(SUBJECT, [bundle], POLICY, NOW)
    assert caught.value.message.isprintable()
    assert "a key it does not name" in caught.value.message
    assert caught.value.fingerprint == ""


def test_the_refusal_of_an_unsigned_package_names_its_publisher() -> None:
    with pytest.raises(Unsigned, match="not signed by its publisher, skep"):
        verify(SUBJECT, [], POLICY, NOW)


def test_a_certificate_is_unknown() -> None:
    bundle = make_bundle(
        change=lambda d: d.update(verificationMaterial={"certificate": {"rawBytes": "AAAA"}})
    )
    with pytest.raises(UnknownKey, match="certificate") as caught:
        verify(SUBJECT, [bundle], POLICY, NOW)
    assert (caught.value.publisher, caught.value.fingerprint) == ("skep", "")


def _flip(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[-1] ^= 1
    return base64.b64encode(data).decode()


def _tamper_payload(document: dict[str, Any]) -> None:
    envelope = document["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["subject"][0]["digest"] = {"sha256": OTHER_SUBJECT.digest.hexadecimal}
    envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()


def _tamper_signature(document: dict[str, Any]) -> None:
    signature = document["dsseEnvelope"]["signatures"][0]
    signature["sig"] = _flip(signature["sig"])


def _swap_type(document: dict[str, Any]) -> None:
    document["dsseEnvelope"]["payloadType"] = "application/vnd.in-toto+json"


@pytest.mark.parametrize(
    ("subject", "bundle"),
    [
        pytest.param(OTHER_SUBJECT, make_bundle(change=_tamper_payload), id="tampered-payload"),
        pytest.param(SUBJECT, make_bundle(change=_tamper_signature), id="tampered-signature"),
        pytest.param(
            SUBJECT,
            make_bundle(
                change=lambda d: d["dsseEnvelope"]["signatures"][0].update(
                    sig=base64.b64encode(b"not DER").decode()
                )
            ),
            id="signature-not-der",
        ),
        pytest.param(
            SUBJECT,
            make_bundle(
                change=lambda d: d["dsseEnvelope"]["signatures"][0].update(
                    sig=base64.b64encode(bytes.fromhex("3006020100020100")).decode()
                )
            ),
            id="zero-r-and-s",  # CVE-2022-21449, psychic signatures
        ),
        pytest.param(OTHER_SUBJECT, make_bundle(SUBJECT), id="other-subject-digest"),
        pytest.param(
            SUBJECT,
            make_bundle(by=signer("stranger"), hint=signer().public_key.hint),
            id="another-key-with-right-hint",
        ),
        pytest.param(SUBJECT, make_bundle(payload_type="text/plain"), id="wrong-payload-type"),
        pytest.param(
            SUBJECT,
            make_bundle(payload_type="text/plain", change=_swap_type),
            id="dsse-confusion",  # signed as text, presented as a statement
        ),
        pytest.param(
            SUBJECT,
            make_bundle(
                statement=lambda s: s.update(
                    predicateType="https://in-toto.io/attestation/svr/v0.2"
                )
            ),
            id="an-attestation-is-no-consent",
        ),
        pytest.param(
            SUBJECT,
            make_bundle(
                statement=lambda s: s["subject"].append(
                    {"name": "y", "digest": {"sha256": OTHER_SUBJECT.digest.hexadecimal}}
                )
            ),
            id="several-subjects",
        ),
        pytest.param(
            SUBJECT,
            make_bundle(statement=lambda s: s["subject"][0].update(digest={"sha1": "0" * 40})),
            id="sha1",
        ),
        pytest.param(
            SUBJECT,
            make_bundle(
                change=lambda d: d["dsseEnvelope"]["signatures"].insert(
                    0, {"sig": "AAAA", "keyid": ""}
                )
            ),
            id="extra-signature",
        ),
        pytest.param(SUBJECT, make_bundle() + b" " * (1 << 20), id="oversized"),
        pytest.param(SUBJECT, b"{" + make_bundle()[1:-1] + b',"mediaType":1}', id="key-twice"),
        pytest.param(SUBJECT, b"", id="empty"),
    ],
)
def test_an_attack_is_refused(subject: Subject, bundle: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        verify(subject, [bundle], POLICY, NOW)


def test_a_failed_claim_is_told_before_a_stranger() -> None:
    bundles = [make_bundle(by=signer("stranger")), make_bundle(change=_tamper_signature)]
    with pytest.raises(SignatureInvalid):
        verify(SUBJECT, bundles, POLICY, NOW)


def test_a_flood_of_bundles_is_cut_off() -> None:
    flood = [make_bundle(by=signer("stranger"))] * MOST_BUNDLES
    with pytest.raises(UnknownKey):
        verify(SUBJECT, [*flood, sign(SUBJECT, signer())], POLICY, NOW)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_no_changed_byte_is_accepted_for_another_subject(data: st.DataObject) -> None:
    """Whatever single byte is changed: refused, or still the very same statement."""
    bundle = bytearray(_BUNDLE)
    at = data.draw(st.integers(0, len(bundle) - 1))
    bundle[at] = data.draw(st.integers(0, 255))
    with suppress(Untrusted):
        verify(SUBJECT, [bytes(bundle)], POLICY, NOW)
    with pytest.raises(Untrusted):
        verify(OTHER_SUBJECT, [bytes(bundle)], POLICY, NOW)


@settings(deadline=None, max_examples=100)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: (
    st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["mediaType", "dsseEnvelope", "verificationMaterial", "publicKey", "hint",
             "payload", "payloadType", "signatures", "sig"]
        ),
        inner,
        max_size=4,
    )
), max_leaves=12))  # fmt: skip
def test_any_document_is_refused_without_a_stray_exception(value: object) -> None:
    with pytest.raises(Untrusted):
        verify(SUBJECT, [json.dumps(value).encode()], POLICY, NOW)


def test_a_refused_key_is_asked_for_by_the_name_of_its_marketplace() -> None:
    subject = replace(SUBJECT, origin="m.example")
    with pytest.raises(UnknownKey) as caught:
        verify_calling({"m.example": "public"}.__getitem__, subject, [_BUNDLE], RequireKey(()), NOW)
    assert caught.value.hint == "skep keys trust skep --from public"


def test_where_no_marketplace_is_known_none_is_asked_for() -> None:
    with pytest.raises(UnknownKey) as caught:
        verify_calling(dict[str, str]().__getitem__, SUBJECT, [_BUNDLE], RequireKey(()), NOW)
    assert caught.value.hint == "skep keys trust skep --from MARKETPLACE"


def test_an_unknown_key_has_what_is_known_of_it() -> None:
    error = UnknownKey("who is that?")
    assert (error.hint, error.publisher, error.fingerprint) == ("", "", "")


def test_every_key_that_is_trusted_is_named_beside_the_one_that_is_not() -> None:
    keys = (signer().public_key, signer("another").public_key)
    with pytest.raises(UnknownKey) as caught:
        verify(SUBJECT, [sign(SUBJECT, signer("stranger"))], RequireKey(keys), NOW)
    assert f"trusted for skep: {keys[0].fingerprint}, {keys[1].fingerprint}." in caught.value.hint


def test_of_several_refusals_the_first_is_told() -> None:
    bundles = [sign(SUBJECT, signer(who)) for who in ("stranger", "another")]
    with pytest.raises(UnknownKey) as caught:
        verify(SUBJECT, bundles, POLICY, NOW)
    assert caught.value.fingerprint == signer("stranger").public_key.fingerprint
