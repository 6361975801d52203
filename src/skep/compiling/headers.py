"""Headers that a compilation is given besides its directories: ``vmlinux.h`` and a system's libbpf.

The ``vmlinux.h`` that comes with Skep is kept compressed beside the other headers, and written out
for a source that includes it and has none of its own. It is made from one kernel, the same for
everybody (docs/adr/0012): the running kernel's types are never read here.
"""

import lzma
from collections.abc import Sequence
from pathlib import Path

from skep.compiling.errors import HeadersMissing
from skep.compiling.sources import read_sources
from skep.file_modes import PRIVATE_DIRECTORY, make_directory

VMLINUX = "vmlinux.h"
PACKED_VMLINUX = "vmlinux.h.xz"
_LARGEST_HEADER = 32 << 20
_SYSTEM = (Path("/usr/local/include"), Path("/usr/include"))


def needs_vmlinux(source: Path, include: Sequence[Path]) -> bool:
    """Whether a source, or a file it includes, asks for a ``vmlinux.h`` that is not there."""
    found = read_sources(source, include)
    return VMLINUX in found.not_found or found.is_computed


def unpack_vmlinux(include: Sequence[Path], directory: Path) -> Path | None:
    """Write the ``vmlinux.h`` of the first of ``include`` that has one into ``directory``.

    Returns:
        ``directory``, ``None`` if there is none to write.

    Raises:
        HeadersMissing: it is damaged.
    """
    places = (each / PACKED_VMLINUX for each in include)
    packed = next((place for place in places if place.is_file()), None)
    if packed is None:
        return None
    try:
        with lzma.open(packed) as file:
            text = file.read(_LARGEST_HEADER)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise HeadersMissing(f"{packed} cannot be unpacked: {error}") from error
    make_directory(directory, PRIVATE_DIRECTORY)
    (directory / VMLINUX).write_bytes(text)
    return directory


def find_libbpf(wanted: str, roots: Sequence[Path] = _SYSTEM) -> Path | None:
    """The directory of a system's libbpf headers.

    Args:
        wanted: what ``[build] libbpf`` of a package says: ``system``, or nothing for Skep's own.

    Returns:
        The directory with ``bpf_helpers.h``, ``None`` for Skep's own.

    Raises:
        HeadersMissing: there is none on this system.
    """
    if wanted != "system":
        return None
    found = next((root / "bpf" for root in roots if (root / "bpf/bpf_helpers.h").is_file()), None)
    if found is None:
        raise HeadersMissing(
            "expected headers of libbpf in " + " or ".join(f"{root}/bpf" for root in roots),
            hint="install libbpf-dev (libbpf-devel), or remove libbpf from [build]: Skep has "
            "headers with the same macros",
        )
    return found
