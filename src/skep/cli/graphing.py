"""``skep inspect --graph``: control flow of a program as an SVG file."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from skep.bytecode.analysis.graph.content import graph_of
from skep.bytecode.analysis.graph.svg import draw
from skep.bytecode.objectfile.model import Function, ObjectFile
from skep.bytecode.objectfile.reading import read_object
from skep.cli.output import Output
from skep.errors import NotFound, NotPermitted, Unavailable, UsageError


def _text(function: Function, slot: int) -> str:
    """Stand-in until there is a disassembler: swap this function for it, here only."""
    opcode, dst, src, offset, immediate = function.instructions[slot]
    return f"{opcode:02x} r{dst} r{src} {offset:+d} {immediate:#x}"


def write_graph(
    objects: Mapping[str, bytes], program: str | None, path: Path | None, output: Output
) -> None:
    """Draw one program of ``objects`` to ``path``, or to standard output (``None`` or ``-``).

    Raises:
        NotFound, UsageError: no such program, or several and none chosen.
        GraphTooLarge: too many blocks for a picture.
    """
    object_file, name = _choose(objects, program)
    svg = draw(graph_of(object_file, name, _text))
    if path is None or str(path) == "-":
        if output.json:
            output.emit({"program": name, "svg": svg}, list)
        else:
            output.out.write(svg)
            output.out.flush()
        return
    _write(path, svg.encode())
    output.emit({"program": name, "file": str(path)}, lambda: [f"drew {name} to {path}"])


def _choose(objects: Mapping[str, bytes], program: str | None) -> tuple[ObjectFile, str]:
    found = [
        (object_file, entry.name)
        for object_file in map(read_object, objects.values())
        for entry in object_file.programs
        if program is None or entry.name == program
    ]
    if not found:
        named = f"called {program} " if program is not None else ""
        raise NotFound(
            f"there is no program {named}in there", hint="skep inspect FILE lists its programs"
        )
    if len(found) > 1:
        names = ", ".join(name for _, name in found[:12])
        raise UsageError(
            f"expected one program to draw, there are {len(found)}: {names}",
            hint="choose one with --program NAME",
        )
    return found[0]


def _write(path: Path, data: bytes) -> None:
    """Write all of a file or nothing; what is no regular file (a pipe) is written through."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(data)
            return
        if path.is_dir():
            raise UsageError(f"expected a file to write the SVG to, {path} is a directory")
        goal = path.resolve()
        number, name = tempfile.mkstemp(prefix=f".{goal.name[:64]}.", dir=goal.parent)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(data)
            Path(name).chmod(0o644)
            Path(name).replace(goal)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"there is no folder {path.parent} to write {path.name} to") from error
    except PermissionError as error:
        raise NotPermitted(f"{path} may not be written by this user") from error
    except OSError as error:
        raise Unavailable(f"{path} could not be written: {error.strerror}") from error
