"""Content digests, as the OCI image specification writes them.

Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from skep.errors import Malformed, Untrusted

_LENGTHS = {"sha256": 64, "sha512": 128}  # characters; the specification forbids A-F
_HEXADECIMAL = frozenset("0123456789abcdef")


class MalformedDigest(Malformed):
    """Text is not ``algorithm:hexadecimal`` of a registered algorithm."""


class DigestMismatch(Untrusted):
    """Content is not what its digest promised."""


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """Content address: an algorithm and a lower-case hexadecimal value.

    >>> str(Digest.of([b"hel", b"lo"]))[:19]
    'sha256:2cf24dba5fb0'
    """

    algorithm: str
    hexadecimal: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hexadecimal}"

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Read ``algorithm:hexadecimal``.

        Raises:
            MalformedDigest: for an unknown algorithm, a wrong length or other characters.
        """
        algorithm, separator, hexadecimal = text.partition(":")
        if (
            not separator
            or len(hexadecimal) != _LENGTHS.get(algorithm)
            or not _HEXADECIMAL.issuperset(hexadecimal)
        ):
            raise MalformedDigest(
                f"expected sha256:<64 hexadecimal digits> or sha512:<128>, got {text[:160]!r}"
            )
        return cls(algorithm, hexadecimal)

    @classmethod
    def of(cls, chunks: Iterable[bytes] | bytes, algorithm: str = "sha256") -> "Digest":
        """Digest of the concatenation of ``chunks``."""
        state = hashlib.new(algorithm)
        for chunk in [chunks] if isinstance(chunks, bytes) else chunks:
            state.update(chunk)
        return cls(algorithm, state.hexdigest())

    def check(self, data: bytes) -> bytes:
        """Return ``data`` if it is what this digest names.

        Raises:
            DigestMismatch: if it is not.
        """
        for _ in self.checking([data]):
            pass
        return data

    def checking(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass chunks on; once they end, compare.

        Raises:
            DigestMismatch: after the last chunk, so nothing received may be
                used before the iterator is exhausted.
        """
        state = hashlib.new(self.algorithm)
        for chunk in chunks:
            state.update(chunk)
            yield chunk
        if not hmac.compare_digest(state.hexdigest(), self.hexadecimal):
            raise DigestMismatch(
                f"expected content with digest {self}, got {self.algorithm}:{state.hexdigest()}",
                hint="the content was changed or damaged on its way; fetch it again",
            )
