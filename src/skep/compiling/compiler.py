"""One C source becomes one BPF object file, the same bytes wherever it is built.

The object keeps BTF and loses DWARF. Reproducibility rests on five things, each needed:

(1) the compiler and its options are fixed, and only ``PATH`` of the environment reaches it
    (``CPATH`` or ``SOURCE_DATE_EPOCH`` would change the bytes);
(2) ``__DATE__``, ``__TIME__`` and ``__TIMESTAMP__`` are errors;
(3) directory names are replaced: the source's own by ``.``, include directories by
    ``include/<n>``, the UAPI headers by ``uapi/<n>``, written headers by ``headers``;
(4) the source is named relative to its directory, which is the working directory;
(5) sections that only debuggers read are removed and the file is laid out afresh.

This is not a sandbox: C source can name any file of the machine in ``#include`` and ``.incbin``.
Compile what you would run; a marketplace that rebuilds foreign sources must confine this process.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

from skep.compiling.errors import (
    CompileFailed,
    CompilerMissing,
    CompilerStarved,
    CompilerTimeout,
    CompilerUnsuitable,
    SourceMissing,
)
from skep.compiling.headers import needs_vmlinux, unpack_vmlinux
from skep.compiling.messages import advice, errors_first, read_messages, shortened, show_paths
from skep.compiling.stripping import strip_debug
from skep.compiling.toolchain import CompilerChoice
from skep.errors import UsageError
from skep.file_modes import PRIVATE_DIRECTORY, PUBLIC_DIRECTORY, make_directory

Undisturbed = Callable[[], AbstractContextManager[None]]
"""Keeps interrupts away from a block, and raises the one that came when the block has ended."""

_ENVIRONMENT = frozenset({"PATH"})
_LARGEST_OBJECT_BYTES = 64 << 20
_NO_SPACE = ("No space left on device", "NoSpaceLeft")  # clang in LC_ALL=C, and zig
_LONGEST_MESSAGES = 64 << 10  # characters of the compiler's messages that are kept
_MOST_OUTPUT = 16 << 20  # bytes of messages that are read: a compiler stops after 20 errors

_OPTIONS = (
    "-O2",
    "-g",
    "-D__TARGET_ARCH_x86",  # for bpf_tracing.h, as that of asm/: a source may define another one
    "-mcpu=v3",  # JMP32 and 32-bit ALU: Linux 5.1, older than bpf links to interfaces (5.9)
    "-std=gnu11",
    "-ffile-compilation-dir=.",
    "-ffreestanding",
    "-fno-builtin",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fno-ident",
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-Werror=date-time",  # (2)
    "-fno-color-diagnostics",
)


@dataclass(frozen=True, slots=True)
class CSource:
    """What to compile, and what it may include.

    Attributes:
        path: a C file; files it includes with quotes are looked up beside it.
        include: directories for ``#include <…>``, searched before the UAPI headers. If the source
            asks for a ``vmlinux.h`` that is nowhere, that which one of them has compressed is
            written out for it.
        defines: macros, as ``-D``.
        libbpf: directory that ``#include <bpf/…>`` means, instead of that in ``include``.
        root: of the package; messages show paths relative to it. That of the source if not given.
    """

    path: Path
    include: Sequence[Path] = ()
    defines: Mapping[str, str] = field(default_factory=dict)
    libbpf: Path | None = None
    root: Path | None = None


def compile_object(
    wanted: CSource,
    compiler: CompilerChoice,
    *,
    cache: Path,
    environment: Mapping[str, str],
    timeout_seconds: float = 120.0,
    undisturbed: Undisturbed = nullcontext,
) -> bytes:
    """Compile a source for little-endian BPF.

    Args:
        wanted: the source and its surroundings.
        compiler: from :func:`skep.compiling.toolchain.find_compiler`.
        cache: a directory the compiler may fill; made if missing, safe to share and to delete.
        environment: only ``PATH`` of it is passed on.
        timeout_seconds: then the compiler is ended.
        undisturbed: entered while the compiler is started, so that there is no moment in which it
            runs and nobody knows its number.

    Returns:
        The object file: BTF kept, DWARF removed, no path and no time in it.

    Raises:
        SourceMissing: no such file or directory.
        CompileFailed: the compiler refused it; ``detail`` has its messages.
        CompilerMissing: it cannot be started.
        CompilerTimeout: it did not finish.
        CompilerStarved: the disk is full.
        CompilerUnsuitable: what it wrote is no BPF object, or is larger than 64 MiB.
        UsageError: a macro name or a directory cannot be passed on.
    """
    source = wanted.path.resolve()
    if not source.is_file():
        raise SourceMissing(f"expected a C source at {source}, there is none")
    directories = [directory.resolve() for directory in wanted.include]
    for directory in directories:
        if not directory.is_dir():
            raise SourceMissing(f"expected a directory of headers at {directory}, there is none")
    cache = cache.resolve()
    make_directory(cache, PUBLIC_DIRECTORY)
    name = f"./{source.name}" if source.name.startswith("-") else source.name
    with tempfile.TemporaryDirectory(prefix="compile-", dir=cache) as scratch:
        Path(scratch).chmod(PRIVATE_DIRECTORY)
        output = Path(scratch) / "object.o"
        written = [*_written_headers(source, directories, wanted.libbpf, Path(scratch))]
        command = [
            *compiler.command,
            *_target(compiler),
            *_OPTIONS,
            *_prefix_maps(source.parent, directories, compiler.uapi, Path(scratch)),
            *_definitions(wanted.defines),
            *(f"-I{directory}" for directory in (*written, *directories)),
            *(part for directory in compiler.uapi for part in ("-isystem", str(directory))),
            *("-c", name, "-o", str(output)),  # (4)
        ]
        variables = {key: value for key, value in environment.items() if key in _ENVIRONMENT}
        variables |= {  # (1)
            "PWD": str(source.parent),
            "TMPDIR": scratch,
            "LC_ALL": "C",
            "ZIG_GLOBAL_CACHE_DIR": str(cache / "zig"),
            "ZIG_LOCAL_CACHE_DIR": str(cache / "zig"),
        }
        shown_as = [(each, "") for each in (Path(scratch) / "headers", *directories)]
        package = (wanted.root or source.parent).resolve()
        messages = _run(
            command,
            source.parent,
            variables,
            timeout_seconds,
            source.name,
            undisturbed,
            lambda text: show_paths(text, source.parent, package, shown_as),
        )
        data = _read_output(output, messages)
    return strip_debug(data)  # (5)


def _written_headers(
    source: Path, include: Sequence[Path], libbpf: Path | None, scratch: Path
) -> Iterator[Path]:
    """Directories to search first, made for this compilation."""
    if libbpf is not None:
        place = scratch / "libbpf"
        place.mkdir(PRIVATE_DIRECTORY)
        (place / "bpf").symlink_to(libbpf.resolve(), target_is_directory=True)
        yield place
    if needs_vmlinux(source, include):
        found = unpack_vmlinux(include, scratch / "headers")
        if found is not None:
            yield found


def _target(compiler: CompilerChoice) -> tuple[str, ...]:
    return ("-target", "bpfel-freestanding" if compiler.kind == "zig" else "bpfel")


def _prefix_maps(
    source: Path, directories: Sequence[Path], uapi: Sequence[Path], written: Path
) -> list[str]:  # (3)
    """Name directories neutrally; the compiler takes the last map that fits.

    Hence shorter prefixes first: a header directory inside the source's directory must get its
    own name, or the name would depend on where it lies.
    """
    names = {source: "."}
    names |= {path: f"include/{n}" for n, path in enumerate(directories) if path != source}
    names |= {path: f"uapi/{n}" for n, path in enumerate(uapi)}
    names[written] = "headers"
    for path in names:
        if "=" in str(path):
            raise UsageError(f"a directory with '=' in its name cannot be compiled in: {path}")
    ordered = sorted(names.items(), key=lambda item: len(item[0].parts))
    return [f"-ffile-prefix-map={path}={name}" for path, name in ordered]


def _definitions(defines: Mapping[str, str]) -> list[str]:
    for name in defines:
        if not (name.isascii() and name.isidentifier()):
            raise UsageError(f"expected the name of a macro, got {name[:64]!r}")
    return [f"-D{name}={value}" for name, value in sorted(defines.items())]


def _run(
    command: Sequence[str],
    directory: Path,
    variables: Mapping[str, str],
    timeout_seconds: float,
    name: str,
    undisturbed: Undisturbed,
    shown: Callable[[str], str],
) -> str:
    """Run the compiler and return its messages, errors first, their paths as ``shown``."""
    with ExitStack() as opened:
        with undisturbed():
            process = opened.enter_context(_started(command, directory, variables))
        try:
            output, _ = process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired as error:
            raise CompilerTimeout(
                f"compiling {name} took longer than {timeout_seconds:g} seconds",
                hint="simplify the source, or allow more time",
            ) from error
    text = shown(output[:_MOST_OUTPUT].decode(errors="replace").strip())
    ordered = errors_first(read_messages(text))
    messages = "\n".join(line for message in ordered for line in shortened(message))
    messages = messages[:_LONGEST_MESSAGES]
    if process.returncode != 0:
        if any(words in messages for words in _NO_SPACE):
            raise CompilerStarved(
                f"{name} could not be compiled: no space left for what the compiler writes",
                hint="free space in the cache of Skep, and try again",
                detail=messages,
            )
        errors = [message for message in ordered if message.is_error]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise CompileFailed(
            f"{name} does not compile: "
            + (errors[0].heading + more if errors else f"exit code {process.returncode}"),
            hint=advice(errors[0], shown(f"{name}:1:").partition(":")[0]) if errors else "",
            detail=messages,
        )
    return messages


@contextmanager
def _started(
    command: Sequence[str], directory: Path, variables: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the compiler, which does not outlive the block whatever ends that.

    It gets a process group of its own, so that a compiler that starts others is ended whole.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o022,  # what it writes must be readable, here and by a later run
        )
    except OSError as error:
        raise CompilerMissing(f"{command[0]} cannot be started: {error}") from error
    with process:
        try:
            yield process
        except BaseException:
            _end_group(process)
            raise


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _read_output(output: Path, messages: str) -> bytes:
    try:
        with output.open("rb") as file:
            data = file.read(_LARGEST_OBJECT_BYTES + 1)
    except FileNotFoundError as error:
        raise CompilerUnsuitable("the compiler wrote no object file", detail=messages) from error
    if len(data) > _LARGEST_OBJECT_BYTES:
        raise CompilerUnsuitable("the object file is larger than 64 MiB")
    return data
