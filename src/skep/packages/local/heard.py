"""What marketplaces said about newest versions when they were last asked.

One JSON file, which can be deleted at any time. It is written by the commands that ask anyway, so
that ``skep list`` can say what is out and ask nobody. It is hearsay: nothing is decided by it, a
damaged file reads as an empty one, and one that cannot be written keeps no command from its work.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path

from skep.errors import SkepError
from skep.file_modes import make_directory, open_file, replace_file
from skep.json_documents import canonical_json, parse_table, schema_id
from skep.packages.local.files import INCOMING, read_regular
from skep.packages.names import is_package_name
from skep.versions import MalformedVersion, Version

_LARGEST = 1024 * 1024  # bytes
_MOST = 4096  # packages; the ones heard of longest ago go
_SCHEMA = schema_id("heard")
_DATE_LENGTH = 32  # characters of a time


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest version of a package, as a marketplace said.

    Attributes:
        version: that it named.
        at: when, RFC 3339.
    """

    version: Version
    at: str


def read_heard(path: Path) -> dict[tuple[str, str], Heard]:
    """What was heard, by origin of the marketplace and package; nothing if it cannot be read."""
    try:
        document = parse_table(read_regular(path, _LARGEST), path.name, _LARGEST)
    except (SkepError, OSError):
        return {}
    entries = document.get("packages")
    if document.get("schema") != _SCHEMA or not isinstance(entries, list):
        return {}
    return dict(_read(entries))


def note_heard(path: Path, origin: str, versions: Mapping[str, Version], at: str) -> None:
    """Remember what a marketplace said; if that cannot be written, nothing happens.

    Args:
        path: of the file.
        origin: of the marketplace.
        versions: the newest one by package.
        at: now, RFC 3339.
    """
    if not versions:
        return
    with suppress(SkepError, OSError), _locked(path):
        heard = read_heard(path)
        heard |= {(origin, package): Heard(found, at) for package, found in versions.items()}
        latest = sorted(heard.items(), key=lambda item: item[1].at)[-_MOST:]
        packages = [
            {"origin": key[0], "package": key[1], "version": str(one.version), "at": one.at}
            for key, one in sorted(latest)
        ]
        data = canonical_json({"schema": _SCHEMA, "packages": packages})
        if len(data) <= _LARGEST:
            replace_file(path, data, prefix=INCOMING)


def _read(entries: list[object]) -> Iterator[tuple[tuple[str, str], Heard]]:
    for entry in entries:
        match entry:
            case {
                "origin": str(origin),
                "package": str(package),
                "version": str(text),
                "at": str(at),
            } if is_package_name(package) and len(at) <= _DATE_LENGTH and at.isprintable():
                with suppress(MalformedVersion):
                    yield (origin, package), Heard(Version.parse(text), at)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    make_directory(path.parent)
    lock = open_file(path.parent / f".{path.name}.lock", os.O_RDWR)
    try:
        flock(lock, LOCK_EX)
        yield
    finally:
        os.close(lock)
