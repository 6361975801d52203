"""Verification: is this subject signed with a key the policy accepts?

Pure: no network, no file, no clock. One good bundle suffices; bundles that are broken or signed
by others beside it do no harm, because anybody may attach one to a package.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never

from skep.errors import Untrusted
from skep.sigstore import MOST_BUNDLES, SIGNATURE_PREDICATE
from skep.trust.bundles import Bundle, Subject, parse_bundle
from skep.trust.errors import MalformedBundle, SignatureInvalid, UnknownKey, Unsigned
from skep.trust.fingerprints import fingerprint_of_hint
from skep.trust.keys import PublicKey
from skep.trust.policies import InsecureAcceptAll, RequireKey, TrustPolicy

__all__ = [
    "InsecureAcceptAll",
    "RequireKey",
    "SignatureEvidence",
    "SignatureInvalid",
    "Subject",
    "TrustPolicy",
    "UnknownKey",
    "Unsigned",
    "verify",
]


@dataclass(frozen=True, slots=True)
class SignatureEvidence:
    """Why something was accepted.

    Attributes:
        kind: ``key``: one of the policy's keys has signed it; ``insecure``: nobody looked.
        fingerprint: of that key; empty for ``insecure``.
        checked: one sentence per step that was taken, in order.
        verified_at: when.
    """

    kind: Literal["key", "insecure"]
    fingerprint: str
    checked: tuple[str, ...]
    verified_at: datetime


def verify(
    subject: Subject, bundles: Sequence[bytes], policy: TrustPolicy, now: datetime
) -> SignatureEvidence:
    """Demand that ``policy`` accepts ``subject`` because of one of ``bundles``.

    For each bundle, in this order:

    1. The bundle is at most 1 MiB of strict JSON, of Sigstore's media type v0.3, with exactly one
       signature over a payload of the in-toto type.
    2. It is in key mode, and its hint names an accepted key or nobody in particular.
    3. The signature over the pre-authentication encoding (type *and* payload) holds for that key.
    4. The signed statement is a plain signature: predicate type of ``cosign sign``. An attestation
       ("tested on", "known to be bad") by the same key is not a consent to run.
    5. The statement is about one subject, whose one digest is the subject's.

    Not checked: names in the statement (see :class:`~skep.trust.statements.Subject`), when it was
    signed, and whether the key was withdrawn since: a policy holds the keys that count now.

    Args:
        subject: name and manifest digest, computed by the caller from the bytes themselves.
        bundles: as received; at most 64 are looked at.
        policy: whom to trust.
        now: aware; noted in the evidence.

    Raises:
        Unsigned: there are no bundles.
        UnknownKey: there are, and none is by an accepted key.
        SignatureInvalid: a bundle claims to be by an accepted key and is not, or is about
            something else, or all are malformed. The nearest miss is what is told.
    """
    match policy:
        case InsecureAcceptAll():
            return SignatureEvidence(
                "insecure", "", ("nothing: the policy accepts everything, signed or not",), now
            )
        case RequireKey(keys):
            return _verify_with_keys(subject, bundles, keys, now)
        case _:
            assert_never(policy)


def _verify_with_keys(
    subject: Subject,
    bundles: Sequence[bytes],
    keys: tuple[PublicKey, ...],
    now: datetime,
) -> SignatureEvidence:
    if not bundles:
        raise Unsigned(
            f"{subject.name} is not signed by its publisher, {subject.publisher}",
            hint=f"ask {subject.publisher} for a signed version; publishers sign with skep sign",
        )
    misses: list[Untrusted] = []
    for data in bundles[:MOST_BUNDLES]:
        try:
            return _verify_one(subject, data, keys, now)
        except (SignatureInvalid, UnknownKey) as miss:
            misses.append(miss)
    # A signature that claims an accepted key and fails says more than one by a stranger.
    raise next((miss for miss in misses if isinstance(miss, SignatureInvalid)), misses[0])


def _verify_one(
    subject: Subject, data: bytes, keys: tuple[PublicKey, ...], now: datetime
) -> SignatureEvidence:
    # (1) One strict bundle. What cannot be read is not evidence, whatever it claims.
    try:
        bundle = parse_bundle(data)
    except MalformedBundle as error:
        raise SignatureInvalid(
            f"the signature of {subject.name} cannot be read: {error.message}",
            hint="it is damaged or of an unknown kind; ask the publisher to sign again",
        ) from error

    # (2) Key mode, and the hint. A hint is not proof of anything; it only chooses.
    candidates = _candidates(subject, bundle, keys)

    # (3) The signature itself, over type and payload.
    key = _signing_key(subject, bundle, candidates)

    # (4) It means consent. Without this, any attestation by the publisher would do.
    if bundle.statement.predicate_type != SIGNATURE_PREDICATE:
        raise SignatureInvalid(
            f"expected a signature of {subject.name}, got a statement of type "
            f"{bundle.statement.predicate_type[:160]!r}"
        )

    # (5) It is about this very digest. Without this, an old signature would fit new content.
    if bundle.statement.digest != subject.digest:
        raise SignatureInvalid(
            f"expected a signature over {subject.digest}, got one over {bundle.statement.digest}",
            hint="the signature belongs to other content; fetch the package again",
        )
    return SignatureEvidence(
        "key",
        key.fingerprint,
        (
            "the bundle is well-formed, with one signature over one statement",
            f"the key {key.fingerprint} is accepted",
            "the signature over the statement is valid",
            "the statement is a signature, not another attestation",
            f"the statement is about {subject.digest}",
        ),
        now,
    )


def _candidates(
    subject: Subject, bundle: Bundle, keys: tuple[PublicKey, ...]
) -> tuple[PublicKey, ...]:
    if bundle.hint is None:
        raise UnknownKey(
            f"{subject.name} is signed with a certificate, and only keys are accepted here",
            hint=f"ask {subject.publisher} for a version signed with a key",
            publisher=subject.publisher,
        )
    if not bundle.hint:
        return keys
    named = tuple(key for key in keys if key.hint == bundle.hint)
    if not named:
        raise _unknown(subject, fingerprint_of_hint(bundle.hint) or "", keys)
    return named


def verify_calling(
    called: Callable[[str], str],
    subject: Subject,
    bundles: Sequence[bytes],
    policy: TrustPolicy,
    now: datetime,
) -> SignatureEvidence:
    """Verify, as :func:`verify`; a refusal names the marketplace as people call it.

    Args:
        called: gives that name for an origin. It is asked only if a key is refused, as it may read
            files that have no part in trust.
    """
    try:
        return verify(subject, bundles, policy, now)
    except UnknownKey:
        if not subject.origin:
            raise
        return verify(replace(subject, origin=called(subject.origin)), bundles, policy, now)


def _unknown(subject: Subject, fingerprint: str, keys: tuple[PublicKey, ...]) -> UnknownKey:
    """The refusal of a key: whose it should be, which it says it is, how to decide about it."""
    publisher = subject.publisher
    key = fingerprint or "a key it does not name"
    command = f"skep keys trust {publisher} --from {subject.origin or 'MARKETPLACE'}"
    if not keys:
        message = f"{subject.name} is signed by {key}; no key of {publisher} is trusted here"
        hint = command
    else:
        # Dependency confusion: a marketplace of somebody else's has a publisher of that name.
        known = ", ".join(each.fingerprint for each in keys)
        message = f"{subject.name} is signed by {key}, which is not trusted here for {publisher}"
        hint = (
            f"trusted for {publisher}: {known}. Another {publisher} may have signed this; only if"
            f" {publisher} told you of a new key: {command}"
        )
    return UnknownKey(message, hint=hint, publisher=publisher, fingerprint=fingerprint)


def _signing_key(subject: Subject, bundle: Bundle, candidates: tuple[PublicKey, ...]) -> PublicKey:
    signed = bundle.signed_bytes
    for key in candidates:
        if key.has_signed(signed, bundle.signature):
            return key
    if not bundle.hint:
        raise _unknown(subject, "", candidates)
    raise SignatureInvalid(
        f"the signature of {subject.name} is not valid for the key it names, "
        f"{candidates[0].fingerprint}",
        hint="the statement or the signature was changed in transit; fetch it again",
    )
