"""Keys: ECDSA over P-256 with SHA-256, the default of cosign and of hardware tokens.

Other curves and algorithms are refused when a key is read, not when it is used, so that no later
line has to ask what kind of key it holds. Sources: RFC 5208 (PKCS #8), RFC 5280 section 4.1.2.7
(SubjectPublicKeyInfo), RFC 5480 (curves).
"""

import base64
import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from skep.trust.errors import MalformedKey, UnsupportedKey
from skep.trust.fingerprints import fingerprint_of

_PEM_LIMIT = 16 * 1024  # bytes; a P-256 key is 178 or 241, encrypted about 400
_ALGORITHM = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that checks signatures; equal if the SubjectPublicKeyInfo is.

    Attributes:
        der: SubjectPublicKeyInfo.
    """

    der: bytes
    _key: ec.EllipticCurvePublicKey = field(repr=False, compare=False)

    @classmethod
    def from_pem(cls, pem: bytes) -> "PublicKey":
        """Read ``-----BEGIN PUBLIC KEY-----``.

        Raises:
            MalformedKey: not such a PEM, or a point that is not on the curve.
            UnsupportedKey: a key of another kind or curve.
        """
        if len(pem) > _PEM_LIMIT:
            raise MalformedKey(f"expected a public key in PEM, got {len(pem)} bytes")
        if b"PRIVATE KEY" in pem:
            raise MalformedKey(
                "expected a public key, got a private key",
                hint="keep it secret; share the file that ends in .pub",
            )
        try:
            key = serialization.load_pem_public_key(pem)
        except UnsupportedAlgorithm as error:
            raise UnsupportedKey("expected a P-256 key, got one of an unknown kind") from error
        except ValueError as error:
            raise MalformedKey(
                "expected a public key in PEM (-----BEGIN PUBLIC KEY-----), got something else",
                hint="give the file that ends in .pub; keys create makes a pair",
            ) from error
        return cls._of(key)

    @classmethod
    def _of(cls, key: object) -> "PublicKey":
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise UnsupportedKey(f"expected an ECDSA key over P-256, got {type(key).__name__}")
        _require_p256(key.curve)
        # The compressed and the explicit form of a point are the same key with other bytes;
        # writing it anew gives one fingerprint per key.
        der = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(der, key)

    @property
    def pem(self) -> bytes:
        """The key as PEM."""
        body = base64.encodebytes(self.der).replace(b"\n", b"")
        lines = [body[start : start + 64] for start in range(0, len(body), 64)]
        return b"\n".join([b"-----BEGIN PUBLIC KEY-----", *lines, b"-----END PUBLIC KEY-----", b""])

    @property
    def fingerprint(self) -> str:
        """``SHA256:`` and 64 hexadecimal digits over the SubjectPublicKeyInfo."""
        return fingerprint_of(self.der)

    @property
    def hint(self) -> str:
        """The same digest in base64, as cosign writes it into bundles."""
        return base64.b64encode(hashlib.sha256(self.der).digest()).decode("ascii")

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether ``signature`` (ASN.1 DER, r and s) is of this key over ``data``."""
        try:
            self._key.verify(signature, data, _ALGORITHM)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key in memory.

    Attributes:
        public_key: its other half.
    """

    public_key: PublicKey
    _key: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)

    def sign(self, data: bytes) -> bytes:
        """ASN.1 DER signature over ``data``; another one each time (ECDSA's nonce)."""
        return self._key.sign(data, _ALGORITHM)


def create_private_key(password: bytes | None = None) -> bytes:
    """Make a new P-256 key, as PKCS #8 PEM.

    The randomness is the operating system's; there is no way to choose it.

    Args:
        password: encrypts the key (PBES2); ``None`` leaves it readable for whoever reads the file.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    protection: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )


def load_private_key(pem: bytes, password: bytes | None = None) -> Signer:
    """Read a private key in PEM.

    Raises:
        MalformedKey: not such a PEM, or the password is missing or wrong.
        UnsupportedKey: a key of another kind or curve.
    """
    if len(pem) > _PEM_LIMIT:
        raise MalformedKey(f"expected a private key in PEM, got {len(pem)} bytes")
    if password is None and b"ENCRYPTED" in pem:
        raise MalformedKey("the private key is protected by a password, and none was given")
    try:
        # A password for a key that has none is an error in the library; there is nothing wrong.
        key = serialization.load_pem_private_key(pem, password if b"ENCRYPTED" in pem else None)
    except UnsupportedAlgorithm as error:
        raise UnsupportedKey("expected a P-256 key, got one of an unknown kind") from error
    except (ValueError, TypeError) as error:
        raise MalformedKey(
            "expected a private key in PEM, and its password if it has one, got something else",
            hint="skep keys create",
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UnsupportedKey(f"expected an ECDSA key over P-256, got {type(key).__name__}")
    return Signer(PublicKey._of(key.public_key()), key)  # noqa: SLF001 (the same module)


def _require_p256(curve: ec.EllipticCurve) -> None:
    if not isinstance(curve, ec.SECP256R1):
        raise UnsupportedKey(
            f"expected an ECDSA key over P-256, got one over {curve.name}",
            hint="skep keys create",
        )
