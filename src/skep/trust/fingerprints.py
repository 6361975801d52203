"""Fingerprints of keys, in the one form that every screen, file and answer has.

``SHA256:`` and all 64 hexadecimal digits, unbroken. Not shortened: a person compares two of them to
decide whom to trust, and a key whose first 12 digits are chosen takes an attacker days to find.
"""

import base64
import hashlib
import re

from skep.errors import UsageError

_FORM = re.compile(r"SHA256:[0-9a-f]{64}")


class MalformedFingerprint(UsageError):
    """Text is no whole fingerprint."""


def fingerprint_of(der: bytes) -> str:
    """Fingerprint of a SubjectPublicKeyInfo.

    >>> fingerprint_of(b"")[:19]
    'SHA256:e3b0c44298fc'
    """
    return f"SHA256:{hashlib.sha256(der).hexdigest()}"


def fingerprint_of_hint(hint: str) -> str | None:
    """The fingerprint that a bundle's hint stands for; ``None`` if it stands for none.

    cosign writes the same digest in base64. A hint is what the bundle says of itself, not proof.
    """
    try:
        digest = base64.b64decode(hint, validate=True)
    except ValueError:
        return None
    return f"SHA256:{digest.hex()}" if len(digest) == 32 else None


def parse_fingerprint(text: str) -> str:
    """Read a fingerprint a person typed or pasted: the whole of it; other tools write A to F.

    Raises:
        MalformedFingerprint: it is shorter, longer, or something else.
    """
    prefix, colon, digits = text.partition(":")
    found = f"{prefix}{colon}{digits.lower()}"
    if not _FORM.fullmatch(found):
        raise MalformedFingerprint(
            f"expected SHA256: and 64 hexadecimal digits, got {text[:80]!r}",
            hint="copy the whole fingerprint, as skep keys list shows it",
        )
    return found
