"""Types of the running kernel, and the index of them that is kept between runs.

The types of a kernel never change while it runs, so where each of them begins is found once and
kept in a file named after the kernel. The file is only ever a shortcut:

1. The directory of indexes is a directory of ours that nobody else may write to; otherwise it is
   neither read nor written. A digest inside the file could not tell a forged index from ours.
2. A file in it is taken if it is a regular file of ours, not a link, and no larger than an index.
3. It must be of this very kernel, complete and undamaged; otherwise it is made anew.
4. A new one replaces the old in one step, so that a reader sees one or the other.
5. Then those of other kernels go, and what interrupted writers left; nothing else does.
"""

import hashlib
import os
import re
import secrets
import stat
import struct
from contextlib import suppress
from pathlib import Path

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.file_modes import make_directory, open_file
from skep.kernel.errors import NotInThisKernel

VMLINUX = Path("/sys/kernel/btf/vmlinux")
NOTES = Path("/sys/kernel/notes")
_MOST_BTF_BYTES = 64 << 20  # kernels of 2026 have 5 MB
_MOST_INDEX_BYTES = 32 << 20
_SUFFIX = ".btf-index"
# Names of indexes, and of those that are being written.
_OURS = re.compile(r"[0-9a-f]{16,64}\.btf-index|\.[0-9a-f]{16,64}\.btf-index\.[0-9a-f]{16}")
_BUILD_ID = 3  # NT_GNU_BUILD_ID
_BUILD_ID_BYTES = range(8, 33)


def kernel_types(
    cache: Path | None = None, *, btf: Path = VMLINUX, notes: Path = NOTES
) -> KernelTypes:
    """Types of the running kernel.

    Args:
        cache: directory for indexes, made if it is not there; ``None`` to keep none.
        btf: where the kernel has its types.
        notes: where it has its build id.

    Raises:
        NotInThisKernel: the kernel has no types (it was built without CONFIG_DEBUG_INFO_BTF).
        MalformedBtf: they are not readable.
    """
    raw = _read(btf)
    if cache is None:
        return KernelTypes.build(raw)
    identity = _build_id(notes) or hashlib.sha256(raw).digest()
    directory = _open_directory(cache)
    if directory is None:
        return KernelTypes.build(raw)
    try:
        name = f"{identity.hex()}{_SUFFIX}"
        index = _read_index(directory, name)
        if index is not None:
            with suppress(MalformedBtf):  # (3)
                return KernelTypes.from_index(raw, index, identity)
        types = KernelTypes.build(raw)
        with suppress(OSError):  # a full disk costs time at the next start, nothing else
            _write_index(directory, name, types.to_index(identity))
            _remove_others(directory, name)
    finally:
        os.close(directory)
    return types


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BTF_BYTES + 1)
    except OSError as error:
        raise NotInThisKernel(
            f"could not read the types of this kernel from {path}: {error.strerror}",
            hint="it must be built with CONFIG_DEBUG_INFO_BTF=y, and /sys be mounted",
        ) from error
    if len(raw) > _MOST_BTF_BYTES:
        raise MalformedBtf(f"expected types of at most {_MOST_BTF_BYTES} bytes")
    return raw


def _build_id(notes: Path) -> bytes | None:
    """The build id of the kernel, ``None`` where it does not tell."""
    try:
        return parse_build_id(notes.read_bytes())
    except OSError:
        return None


def parse_build_id(notes: bytes) -> bytes | None:
    """The GNU build id among ELF notes, ``None`` if there is none.

    Source: elf(5), section "Notes".
    """
    place = 0
    while place + 12 <= len(notes):
        name_bytes, size, kind = struct.unpack_from("=III", notes, place)
        name = notes[place + 12 : place + 12 + name_bytes]
        place += 12 + -(-name_bytes // 4) * 4
        content = notes[place : place + size]
        place += -(-size // 4) * 4
        if kind == _BUILD_ID and name == b"GNU\0" and len(content) == size:
            return content if size in _BUILD_ID_BYTES else None
    return None


def _open_directory(path: Path) -> int | None:
    """A descriptor of the directory, ``None`` if others could have written there."""
    with suppress(OSError):
        make_directory(path)
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    if _is_ours(os.fstat(directory)):  # (1)
        return directory
    os.close(directory)
    return None


def _is_ours(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _read_index(directory: int, name: str) -> bytes | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        with open(os.open(name, flags, dir_fd=directory), "rb") as file:  # noqa: PTH123 - at a descriptor
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or not _is_ours(found):  # (2)
                return None
            if found.st_size > _MOST_INDEX_BYTES:
                return None
            return file.read(_MOST_INDEX_BYTES)
    except OSError:
        return None


def _write_index(directory: int, name: str, index: bytes) -> None:
    temporary = f".{name}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_EXCL | os.O_NOFOLLOW
    try:
        with os.fdopen(open_file(temporary, flags, directory=directory), "wb") as file:
            file.write(index)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)  # (4)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise


def _remove_others(directory: int, name: str) -> None:
    for each in os.listdir(directory):
        if each != name and _OURS.fullmatch(each):  # (5)
            with suppress(OSError):
                os.unlink(each, dir_fd=directory)
