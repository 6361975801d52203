"""C compiled by the room itself: bundled programs and sources written in a test."""

import os
import tempfile
from functools import cache
from pathlib import Path

from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import LoadPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.reading import read_object
from skep.compiling.compiler import CSource, compile_object
from skep.compiling.toolchain import CompilerChoice, find_compiler

ROOT = Path(__file__).resolve().parent.parent.parent
INCLUDE = ROOT / "bpf" / "include"
PROGRAMS = ROOT / "bpf" / "programs"


@cache
def compiler() -> CompilerChoice:
    return find_compiler(os.environ, "zig")


@cache
def cache_directory() -> Path:
    """One for all tests of a user: what is compiled twice is taken from it."""
    return Path(tempfile.gettempdir()) / f"skep-tests-compile-{os.getuid()}"


@cache
def bundled_object(name: str) -> bytes:
    """Object file of a bundled program."""
    return compile_object(
        CSource(PROGRAMS / name / f"{name}.bpf.c", [INCLUDE]),
        compiler(),
        cache=cache_directory(),
        environment=os.environ,
    )


def bundled_plan(name: str) -> LoadPlan:
    """The load plan of a bundled program, linked as its ``skep.toml`` says."""
    return link(read_object(bundled_object(name)), None, LinkSettings())


def compiled_object(source: str, **settings: object) -> bytes:
    """The object file of C written in a test; ``settings`` become macros."""
    with tempfile.TemporaryDirectory(prefix="skep-source-") as directory:
        path = Path(directory) / "source.bpf.c"
        path.write_text(source)
        return compile_object(
            CSource(path, [INCLUDE], {name: str(value) for name, value in settings.items()}),
            compiler(),
            cache=cache_directory(),
            environment=os.environ,
        )


def compiled_plan(source: str, **settings: object) -> LoadPlan:
    """The load plan of C written in a test; ``settings`` become macros."""
    return link(read_object(compiled_object(source, **settings)), None, LinkSettings())
