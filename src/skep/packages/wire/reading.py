"""What the readers of this room share.

What a marketplace says is shown to people, so that its texts reach nobody with control characters
in them; and what this version does not know is kept beside what it knows, where a document is
passed on.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from skep.digests import Digest, MalformedDigest
from skep.packages.fields import Fields, shown
from skep.packages.names import is_package_name, one_line
from skep.versions import MalformedVersion, Version

_LONGEST_WORDS = 2000  # characters of one text

NOTHING: Mapping[str, object] = MappingProxyType({})


def check_schema(fields: Fields, schema: str, former: str = "") -> None:
    """Note a problem in ``fields`` if they are of another document, or of a later version.

    Args:
        schema: that is expected.
        former: how it was spelled before; what was written before every document had a schema has
            none, and is read as well.
    """
    value = fields.anything("schema")
    if value not in (None, schema, former):
        fields.problem("schema", f"expected {schema}, got {shown(value)}")


def read_line(fields: Fields, key: str) -> str:
    """One printable line; empty if there is none."""
    return one_line(fields.text(key, "a text", lambda _: True, required=False))


def read_document(fields: Fields, key: str) -> Mapping[str, object]:
    """A document inside of this one, whole and printable; an empty one if there is none."""
    return _printable_table(dict(fields.table(key).items()))


def read_version(fields: Fields) -> Version:
    """The version of a package."""
    text = fields.text("version", "a version such as 1.2.0", _is_version)
    return Version.parse(text) if text else Version(0, 0, 0)


def read_digest(fields: Fields) -> Digest:
    """A digest."""
    text = fields.text("digest", "sha256:<64 hexadecimal digits>", _is_digest)
    return Digest.parse(text) if text else Digest("sha256", "0" * 64)


def read_package(fields: Fields) -> str:
    """The name of a package."""
    return fields.text("package", "publisher/name", is_package_name)


def read_unknown(fields: Fields, known: Collection[str]) -> Mapping[str, object]:
    """What ``known`` does not name, printable; ``schema`` is left to the writer."""
    return _printable_table(
        {name: value for name, value in fields.items() if name not in {"schema", *known}}
    )


def _printable_table(table: Mapping[str, object]) -> Mapping[str, object]:
    return MappingProxyType({one_line(name): printable(value) for name, value in table.items()})


def printable(value: object) -> object:
    """A value of a document with texts that are safe to print; the parser bounds its depth."""
    if isinstance(value, str):
        return "\n".join(one_line(line, _LONGEST_WORDS) for line in value.splitlines())
    if isinstance(value, dict):
        return {one_line(str(key)): printable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [printable(inner) for inner in value]
    return value


def _is_version(text: str) -> bool:
    try:
        Version.parse(text)
    except MalformedVersion:
        return False
    return True


def _is_digest(text: str) -> bool:
    try:
        Digest.parse(text)
    except MalformedDigest:
        return False
    return True
