import base64
import hashlib

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from tests.builders.trust import private_pem, public_pem, signer

from skep.trust.errors import MalformedKey, UnsupportedKey
from skep.trust.keys import PublicKey, create_private_key, load_private_key


def test_a_created_key_signs_and_its_public_half_checks() -> None:
    made = load_private_key(create_private_key())
    public = PublicKey.from_pem(made.public_key.pem)
    assert public.has_signed(b"data", made.sign(b"data"))
    assert public.has_signed(b"other", made.sign(b"data")) is False


def test_two_created_keys_differ() -> None:
    assert create_private_key() != create_private_key()


def test_a_password_is_needed_and_suffices() -> None:
    pem = create_private_key(b"open sesame")
    assert b"ENCRYPTED" in pem
    load_private_key(pem, b"open sesame")
    with pytest.raises(MalformedKey, match="protected by a password, and none was given"):
        load_private_key(pem)
    with pytest.raises(MalformedKey, match="its password if it has one"):
        load_private_key(pem, b"wrong")


def test_a_file_that_only_talks_of_encryption_is_no_key_for_a_password() -> None:
    pem = b"ENCRYPTED\n" + create_private_key()
    with pytest.raises(MalformedKey, match="its password if it has one"):
        load_private_key(pem, b"open sesame")


def test_a_password_for_a_key_without_one_is_ignored() -> None:
    load_private_key(create_private_key(), b"not needed")


def test_the_pem_is_what_the_library_writes() -> None:
    key = signer().public_key
    library = serialization.load_pem_public_key(key.pem)
    assert key.pem == library.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def test_fingerprint_and_hint_are_the_same_digest_of_the_der() -> None:
    key = signer().public_key
    digest = hashlib.sha256(key.der).digest()
    assert key.fingerprint == "SHA256:" + digest.hex()
    assert base64.b64decode(key.hint) == digest


def test_equal_keys_are_equal_and_hash_alike() -> None:
    key = signer().public_key
    again = PublicKey.from_pem(key.pem)
    assert key == again
    assert hash(key) == hash(again)
    assert key != signer("another").public_key


def test_a_private_key_that_is_read_twice_is_the_same() -> None:
    pem = create_private_key()
    assert load_private_key(pem) == load_private_key(pem)
    assert load_private_key(pem) != load_private_key(create_private_key())


def test_a_compressed_point_is_the_same_key_with_the_same_fingerprint() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    # SubjectPublicKeyInfo with id-ecPublicKey, prime256v1 and a 33-byte point
    der = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + point
    pem = b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(der) + b"-----END PUBLIC KEY-----\n"
    full = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert PublicKey.from_pem(pem).fingerprint == PublicKey.from_pem(full).fingerprint


def test_no_secret_shows_in_a_representation() -> None:
    assert "PrivateKey" not in repr(signer())


def test_a_key_is_shown_by_its_bytes_only() -> None:
    key = signer().public_key
    assert repr(key) == f"PublicKey(der={key.der!r})"


@pytest.mark.parametrize(
    "curve",
    [ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1()],
    ids=lambda curve: curve.name,
)
def test_another_curve_is_refused(curve: ec.EllipticCurve) -> None:
    with pytest.raises(UnsupportedKey, match=curve.name):
        PublicKey.from_pem(public_pem(curve))
    with pytest.raises(UnsupportedKey, match=curve.name):
        load_private_key(private_pem(curve))


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_another_algorithm_is_refused(kind: str) -> None:
    key = (
        rsa.generate_private_key(65537, 2048)
        if kind == "rsa"
        else ed25519.Ed25519PrivateKey.generate()
    )
    with pytest.raises(UnsupportedKey, match=f"got {type(key).__name__}"):
        load_private_key(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    with pytest.raises(UnsupportedKey, match=f"got {type(key.public_key()).__name__}"):
        PublicKey.from_pem(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )


def _pem(kind: str, der: str) -> bytes:
    body = base64.encodebytes(bytes.fromhex(der))
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (kind.encode(), body, kind.encode())


def test_an_algorithm_that_nobody_knows_is_refused() -> None:
    algorithm = "300506032a0304"  # the object identifier 1.2.3.4
    with pytest.raises(UnsupportedKey, match="unknown kind"):
        PublicKey.from_pem(_pem("PUBLIC KEY", f"300b{algorithm}03020000"))
    with pytest.raises(UnsupportedKey, match="unknown kind"):
        load_private_key(_pem("PRIVATE KEY", f"300e020100{algorithm}04020500"))


def test_a_file_of_16_kib_is_read_and_a_longer_one_is_not() -> None:
    private = create_private_key()
    public = load_private_key(private).public_key.pem
    PublicKey.from_pem(public.ljust(16_384, b"\n"))
    load_private_key(private.ljust(16_384, b"\n"))
    with pytest.raises(MalformedKey, match="a public key in PEM, got 16385 bytes"):
        PublicKey.from_pem(public.ljust(16_385, b"\n"))
    with pytest.raises(MalformedKey, match="a private key in PEM, got 16385 bytes"):
        load_private_key(private.ljust(16_385, b"\n"))


@pytest.mark.parametrize(
    "pem",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not a key", id="text"),
        pytest.param(b"\x00\xff" * 50, id="binary"),
        pytest.param(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", id="not-der"),
        pytest.param(b"-----BEGIN PUBLIC KEY-----" + b"A" * 20_000, id="huge"),
    ],
)
def test_what_is_no_key_is_refused(pem: bytes) -> None:
    with pytest.raises(MalformedKey):
        PublicKey.from_pem(pem)
    with pytest.raises(MalformedKey):
        load_private_key(pem)


def test_a_point_that_is_not_on_the_curve_is_refused() -> None:
    der = bytearray(signer().public_key.der)
    der[-1] ^= 1
    pem = b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(der) + b"-----END PUBLIC KEY-----\n"
    with pytest.raises(MalformedKey):
        PublicKey.from_pem(pem)


def test_a_private_key_in_place_of_a_public_one_is_told_so() -> None:
    with pytest.raises(MalformedKey, match="private key"):
        PublicKey.from_pem(create_private_key())
