"""The sources of a package as a tar archive, in the one form we write and read.

A tar archive can say far more than a package needs: links, devices, owners, times, long names,
several entries of one name. Reading therefore accepts exactly what writing gives: regular files
in order of their paths, all metadata zero. An archive in any other form is refused, which also
means that one set of files has one digest. Checks of :func:`read_archive`:

1. only regular files (no links, devices, directories, extensions);
2. safe relative paths: nothing absolute, no ``..``;
3. no path twice, and none that is also a directory of another;
4. as many files and bytes as :data:`MOST_FILES` and the archive's own size allow;
5. written again, the files give the very same bytes.
"""

import io
import tarfile
from collections.abc import Mapping

from skep.packages.errors import MalformedPackage
from skep.packages.names import LONGEST_PATH, is_relative_path, one_line

MOST_FILES = 100
_BLOCK = 512  # bytes
_REGULAR = b"0"


def check_paths(paths: list[str], what: str) -> None:
    """Refuse paths that cannot be in an archive together.

    Raises:
        MalformedPackage: see checks 2 to 4.
    """
    # (4)
    if len(paths) > MOST_FILES:
        raise MalformedPackage(f"{what}: expected at most {MOST_FILES} files, got {len(paths)}")
    directories = set()
    for path in paths:
        # (2)
        if not is_relative_path(path):
            raise MalformedPackage(
                f"{what}: expected a relative path of at most {LONGEST_PATH} letters, digits and"
                f" ._+-, got {one_line(path)!r}"
            )
        parts = path.split("/")
        directories |= {"/".join(parts[:count]) for count in range(1, len(parts))}
    # (3)
    for position, path in enumerate(sorted(paths)):
        if path in directories or path in sorted(paths)[position + 1 : position + 2]:
            raise MalformedPackage(f"{what}: {path!r} is there twice")


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """The archive of ``files``, by path; the same files give the same bytes everywhere.

    Raises:
        MalformedPackage: a path is not safe, or there are too many.
    """
    check_paths(list(files), "sources")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(files):
            # TarInfo starts with zero owners and times and no names; the mode is ours.
            entry = tarfile.TarInfo(path)
            entry.size = len(files[path])
            archive.addfile(entry, io.BytesIO(files[path]))
    return buffer.getvalue()


def _octal(field: bytes) -> int:
    digits = field.rstrip(b"\0 ")
    if not digits.isdigit() or any(digit in b"89" for digit in digits):
        raise MalformedPackage("sources: expected a size in a tar header")
    return int(digits, 8)


def read_archive(data: bytes) -> dict[str, bytes]:
    """The files in an archive, by path.

    The headers are read here and not with :mod:`tarfile`, which understands every extension and
    had several ways to be kept busy for ever (CVE-2024-6232, CVE-2025-8194).

    Raises:
        MalformedPackage: see the checks of this module.
    """
    files: dict[str, bytes] = {}
    offset = 0
    while any(header := data[offset : offset + _BLOCK]):
        # (1)
        if len(header) < _BLOCK or header[156:157] != _REGULAR:
            raise MalformedPackage("sources: expected regular files only, in a ustar archive")
        path = header[:LONGEST_PATH].rstrip(b"\0").decode("ascii", "replace")
        # (2) (3)
        check_paths([path], "sources")
        if path in files:
            raise MalformedPackage(f"sources: {path!r} is there twice")
        size = _octal(header[124:136])
        content = data[offset + _BLOCK : offset + _BLOCK + size]
        # (4)
        if len(content) != size or len(files) >= MOST_FILES:
            raise MalformedPackage(f"sources: truncated, or more than {MOST_FILES} files")
        files[path] = content
        offset += _BLOCK + -(-size // _BLOCK) * _BLOCK
    # (5)
    if not files or write_archive(files) != data:
        raise MalformedPackage("sources: expected an archive exactly as Skep writes it")
    return files
