"""Which C compiler: ziglang from PyPI, pinned by a package, or a system clang.

A choice is a value; finding one looks at the installed distributions and at the environment it is
given, never at this process's own.
"""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from skep.compiling.errors import CompilerMissing, CompilerUnsuitable
from skep.errors import UsageError

OLDEST_CLANG = 14  # the first whose BTF and BPF target Skep's headers are tried with
_WANTED = re.compile(r"(zig|clang)(?:(==|>=)(\d+(?:\.\d+){0,2}))?")
_CLANG_VERSION = re.compile(r"clang version (\d+)\.(\d+)\.(\d+)")
_PROBE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class CompilerChoice:
    """A compiler that is installed.

    Attributes:
        kind: ``zig`` or ``clang``.
        version: as the compiler says.
        command: how to start it, before any option.
        uapi: directories with ``linux/*.h`` and ``asm/*.h``, in order of search.
    """

    kind: Literal["zig", "clang"]
    version: str
    command: tuple[str, ...]
    uapi: tuple[Path, ...]

    def __str__(self) -> str:
        return f"{self.kind}=={self.version}"


def find_compiler(environment: Mapping[str, str], wanted: str = "") -> CompilerChoice:
    """Find a compiler.

    Args:
        environment: ``PATH`` in it says where a system clang may be.
        wanted: what ``[build] compiler`` of a package says: ``zig==0.17.1``, ``clang>=14``,
            ``zig``; empty for any, zig first because it can be pinned.

    Raises:
        UsageError: ``wanted`` cannot be read.
        CompilerMissing: there is none like that.
        CompilerUnsuitable: the clang that was found is older than 14.
    """
    match = _WANTED.fullmatch(wanted.replace(" ", "")) if wanted else None
    if wanted and not match:
        raise UsageError(
            f"expected a compiler such as zig==0.17.1 or clang>=14, got {wanted[:64]!r}"
        )
    kind, operator, version = match.groups() if match else (None, None, None)
    found = None
    if kind != "clang":
        found = _find_zig()
    if found is None and kind != "zig":
        found = _find_clang(environment)
    if found is None:
        raise CompilerMissing(
            f"expected {wanted or 'a C compiler for BPF'}, found none",
            hint=f"pip install ziglang{operator or ''}{version or ''}"
            if kind != "clang"
            else "install clang with the packages of the system",
        )
    if operator and version and not _satisfies(found.version, operator, version):
        raise CompilerMissing(
            f"expected {kind}{operator}{version}, found {found}",
            hint=f"pip install ziglang{operator}{version}"
            if kind == "zig"
            else f"install clang {version}",
        )
    return found


def _satisfies(found: str, operator: str, wanted: str) -> bool:
    """Compare as many parts as ``wanted`` has: clang 14.0.6 satisfies ``==14``."""
    parts = [int(part) for part in wanted.split(".")]
    have = [int(part) for part in re.findall(r"\d+", found)[: len(parts)]]
    return have >= parts if operator == ">=" else have == parts


def _zig_directory() -> Path | None:
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def _find_zig() -> CompilerChoice | None:
    directory = _zig_directory()
    if directory is None or not (directory / "zig").is_file():
        return None
    return CompilerChoice(
        kind="zig",
        version=importlib.metadata.version("ziglang"),
        # What `python -m ziglang` runs, without starting an interpreter first.
        command=(str(directory / "zig"), "cc"),
        uapi=_zig_headers(directory),
    )


def _zig_headers(directory: Path) -> tuple[Path, ...]:
    """Return the UAPI headers zig ships.

    ``asm/`` is that of x86-64: BPF has none of its own, and the little in there that the headers
    for programs reach (integer types, byte order) is the same on every 64-bit little-endian one.
    Taking one fixed set keeps the bytes the same wherever it is built.
    """
    root = directory / "lib" / "libc" / "include"
    return (root / "x86-linux-any", root / "any-linux-any")


def _find_clang(environment: Mapping[str, str]) -> CompilerChoice | None:
    path = environment.get("PATH", "")
    executable = shutil.which("clang", path=path) or next(
        (
            found
            for major in range(40, OLDEST_CLANG - 1, -1)
            if (found := shutil.which(f"clang-{major}", path=path))
        ),
        None,
    )
    if executable is None:
        return None
    try:
        answer = subprocess.run(
            [executable, "--version"],
            env=dict(environment),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompilerUnsuitable(f"{executable} cannot be started: {error}") from error
    match = _CLANG_VERSION.search(answer.stdout[:4096].decode(errors="replace"))
    if match is None or int(match[1]) < OLDEST_CLANG:
        raise CompilerUnsuitable(
            f"expected clang {OLDEST_CLANG} or newer, {executable} is "
            f"{match[0] if match else 'something else'}",
            hint="pip install ziglang, or install a newer clang",
        )
    zig = _zig_directory()
    uapi = _zig_headers(zig) if zig is not None else _system_headers(Path("/usr/include"))
    return CompilerChoice("clang", ".".join(match.groups()), (executable,), uapi)


def _system_headers(root: Path) -> tuple[Path, ...]:
    """``root`` and, on systems with several architectures side by side, the one with ``asm/``."""
    multiarch = sorted(path.parent for path in root.glob("*-linux-gnu/asm"))
    return (*multiarch[:1], root)
