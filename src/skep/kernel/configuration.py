"""What the running kernel was built with, and where its symbols are.

Sources: ``bpf_object__read_kconfig_file`` and ``get_kernel_version`` in tools/lib/bpf/libbpf.c,
``/proc/kallsyms`` in kernel/kallsyms.c of Linux 6.18.
"""

import gzip
import platform
import re
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path

from skep.errors import Malformed

_PROC_CONFIG = Path("/proc/config.gz")
_BOOT = Path("/boot")
_SYMBOLS = Path("/proc/kallsyms")
_MOST_BYTES = 8 << 20  # a distribution's configuration has 300 KB
_LINE = re.compile(r"(CONFIG_[A-Za-z0-9_]+)=(.*)")
_RELEASE = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})(?:\.([0-9]{1,5}))?")
_DEBIAN = re.compile(r"\bDebian ([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,5})")


def kernel_configuration(
    compressed: Path = _PROC_CONFIG, boot: Path = _BOOT
) -> dict[str, str] | None:
    """Options that are on, with their values as written; ``None`` if the kernel does not tell.

    Args:
        compressed: where the kernel itself has it.
        boot: where distributions put it, as ``config-RELEASE``.

    Raises:
        Malformed: the file is damaged, or far larger than a configuration.
    """
    try:
        with gzip.open(compressed, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        pass
    except (OSError, EOFError, zlib.error) as error:
        raise Malformed(f"could not read the kernel's configuration from {compressed}") from error
    else:
        return parse_configuration(data)
    try:
        with (boot / f"config-{platform.release()}").open("rb") as plain:
            return parse_configuration(plain.read(_MOST_BYTES + 1))
    except OSError:
        return None


def parse_configuration(data: bytes) -> dict[str, str]:
    r"""Options of a configuration file; those that are not set are not in it.

    >>> parse_configuration(b"CONFIG_HZ=250\n# CONFIG_X is not set\n")
    {'CONFIG_HZ': '250'}

    Raises:
        Malformed: more than 8 MB.
    """
    if len(data) > _MOST_BYTES:
        raise Malformed(f"expected a configuration of at most {_MOST_BYTES} bytes")
    found = {}
    for line in data.decode("utf-8", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is not None:
            found[match[1]] = match[2]
    return found


def kernel_version_code() -> int:
    """LINUX_VERSION_CODE of the running kernel."""
    uname = platform.uname()
    return version_code(uname.release, uname.version)


def version_code(release: str, build: str = "") -> int:
    """LINUX_VERSION_CODE for what ``uname -r`` and ``uname -v`` print.

    Debian has the patch level in ``uname -v`` only.

    >>> hex(version_code("6.18.44-cloud"))
    '0x6122c'
    >>> hex(version_code("6.1.0-37-amd64", "#1 SMP Debian 6.1.140-1 (2025-05-22)"))
    '0x6018c'

    Raises:
        Malformed: not a release of Linux.
    """
    match = _DEBIAN.search(build) or _RELEASE.match(release)
    if match is None:
        raise Malformed(f"expected a kernel release such as 6.18.44, got {release[:80]!r}")
    major, minor, patch = (int(part or 0) for part in match.groups())
    return major << 16 | minor << 8 | min(patch, 255)


def kernel_symbols(names: Collection[str], symbols: Path = _SYMBOLS) -> dict[str, int]:
    """Addresses of symbols of the kernel and its modules; those it hides or lacks are left out.

    A name that stands for several addresses is left out too: nobody could say which was meant.
    """
    try:
        with symbols.open("r", encoding="utf-8", errors="replace") as lines:
            return parse_symbols(lines, names)
    except OSError:
        return {}


def parse_symbols(lines: Iterable[str], names: Collection[str]) -> dict[str, int]:
    """Addresses of ``names`` in the format of ``/proc/kallsyms``.

    >>> parse_symbols(["ffffffff81000000 T _text"], {"_text"})
    {'_text': 18446744071578845184}
    """
    wanted = frozenset(names)
    found: dict[str, int] = {}
    ambiguous: set[str] = set()
    for line in lines:
        parts = line.split(maxsplit=3)
        if len(parts) < 3 or parts[2] not in wanted:
            continue
        try:
            address = int(parts[0], 16)
        except ValueError:
            continue
        if address and found.setdefault(parts[2], address) != address:
            ambiguous.add(parts[2])
    return {name: address for name, address in found.items() if name not in ambiguous}
