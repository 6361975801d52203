"""Untrusted TOML documents, read with the standard library after three checks.

1. Size, before anything is parsed.
2. Parts of a dotted key: ``a.a.a = 1`` costs :mod:`tomllib` memory in the square of the parts,
   4 GB for a document of 64 kB.
3. Nesting: of brackets, as the parser is recursive, and of what they mean together with dotted
   keys, as values we keep may be walked later.
"""

import codecs
import re
import tomllib

from skep.packages.errors import MalformedMetadata
from skep.packages.names import one_line

LARGEST_METADATA = 64 * 1024  # bytes; real ones have one or two kB
MOST_KEY_PARTS = 16
DEEPEST = 16

# TOML's tokens can be told apart without knowing where they stand, so this reads them as the
# parser does: strings and comments as wholes, of which ``part`` can also be part of a key.
_TOKENS = re.compile(
    r'(?P<skipped>"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    r"|#[^\n]*+|[ \t]++)"
    r'|(?P<part>"(?:[^"\\\n]|\\[^\n])*+"|' + r"'[^'\n]*+'|[A-Za-z0-9_-]++)"
    r"|(?P<dot>\.)"
    r"""|(?P<unterminated>["'])"""
    r"|(?P<other>[^A-Za-z0-9_.\"'# \t-]++)",
    re.DOTALL,
)


def _check_tokens(text: str, name: str) -> None:
    dots = depth = 0
    for match in _TOKENS.finditer(text):
        match match.lastgroup:
            case "dot":
                dots += 1
                if dots >= MOST_KEY_PARTS:
                    raise MalformedMetadata(
                        f"{name}, line {_line(text, match.start())}: expected at most "
                        f"{MOST_KEY_PARTS} parts in a key"
                    )
            case "other":
                dots = 0
                for place, character in enumerate(match.group(), match.start()):
                    depth += (character in "[{") - (character in "]}")
                    if depth > DEEPEST:
                        raise _too_deep(f"{name}, line {_line(text, place)}")
            case "unterminated":
                return  # the parser stops here too, and says why


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _too_deep(where: str) -> MalformedMetadata:
    return MalformedMetadata(f"{where}: expected at most {DEEPEST} levels of nesting")


def _check_depth(document: object, name: str) -> None:
    level: list[object] = [document]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    if level:
        raise _too_deep(name)


def parse_toml(data: bytes, name: str = "skep.toml") -> dict[str, object]:
    """Parse a ``skep.toml``, or another file of ours, as far as TOML goes.

    Args:
        data: of the file.
        name: of the file, for messages.

    Raises:
        MalformedMetadata: see the checks of this module.
    """
    # (1)
    if len(data) > LARGEST_METADATA:
        raise MalformedMetadata(
            f"{name}: expected at most {LARGEST_METADATA} bytes, got {len(data)}"
        )
    try:
        # Editors of Windows begin a file with a byte order mark; TOML knows none.
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
        # (2), (3)
        _check_tokens(text, name)
        document = tomllib.loads(text)
    except ValueError as error:
        raise MalformedMetadata(
            f"{name} is not TOML: {one_line(str(error))}", hint="the format is at toml.io"
        ) from error
    # (3)
    _check_depth(document, name)
    return document
