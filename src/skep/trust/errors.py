"""What can be wrong with a key, a bundle or a signature."""

from skep.errors import Malformed, Unsupported, Untrusted


class MalformedKey(Malformed):
    """Bytes are not a PEM key, or the password does not open it."""


class UnsupportedKey(Unsupported):
    """A key of another kind than ECDSA over P-256."""


class MalformedBundle(Malformed):
    """Bytes are not one Sigstore bundle v0.3 with one in-toto statement about one subject."""


class Unsigned(Untrusted):
    """There is no signature at all, and the policy demands one."""


class UnknownKey(Untrusted):
    """Signed, but not with a key the policy accepts.

    Args:
        message: see :class:`~skep.errors.SkepError`, as ``hint``.
        publisher: whose key was expected.
        fingerprint: of the key the signature claims to be by; empty if it names none.
    """

    def __init__(
        self, message: str, *, hint: str = "", publisher: str = "", fingerprint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.publisher = publisher
        self.fingerprint = fingerprint


class SignatureInvalid(Untrusted):
    """It claims to be signed by an accepted key for this subject, and it is not."""
