"""``skep inspect --graph``: control flow of a program as SVG."""

from pathlib import Path

from skep.bytecode.analysis.graph.content import graph_of
from skep.bytecode.analysis.graph.svg import draw as drawn
from skep.bytecode.analysis.listing import list_program, printable
from skep.bytecode.objectfile.model import Function, ObjectFile
from skep.cli.output import Output
from skep.cli.subjects import Inspected
from skep.errors import NotFound, NotPermitted, UsageError
from skep.json_documents import schema_id
from skep.packages.local.files import write_atomically


def draw(subject: Inspected, program: str | None, to: Path | None, output: Output) -> None:
    """Write the graph of a program to ``to``, or to standard output (``None`` or ``-``).

    Raises:
        UsageError: several programs and none named, or none of that name.
        GraphTooLarge: too many blocks to be read by anybody.
        NotFound, NotPermitted: ``to`` cannot be written.
    """
    object_file, name = _choose(subject, program)
    picture = svg_of(object_file, name)
    document = {**subject.document, "schema": schema_id("inspect-graph"), "program": name}
    if to is None or str(to) == "-":
        output.emit({**document, "svg": picture}, lambda: [picture.rstrip("\n")])
        return
    try:
        if to.exists() and not to.is_file():
            raise UsageError(f"cannot write to {to}: it is not a file")
        write_atomically(to, picture.encode())
    except PermissionError as error:
        raise NotPermitted(f"{to} cannot be written by this user") from error
    except OSError as error:
        raise NotFound(
            f"{to} cannot be written: {error.strerror}", hint="name a file in a folder that exists"
        ) from error
    output.emit({**document, "written": str(to)}, lambda: [f"{to} written"])


def svg_of(object_file: ObjectFile, program: str) -> str:
    """The picture of a program and every function it needs.

    Raises:
        GraphTooLarge: see above.
    """
    texts = {
        (listed.name, each.own_slot): each.text + (f"  → {each.label}" if each.label else "")
        for listed in list_program(object_file, program)
        for each in listed.instructions
    }

    def text(function: Function, slot: int) -> str:
        return texts.get((printable(function.name), slot), "")

    return drawn(graph_of(object_file, program, text))


def _choose(subject: Inspected, program: str | None) -> tuple[ObjectFile, str]:
    known = [(each, spec.name) for each in subject.read().values() for spec in each.programs]
    names = ", ".join(name for _, name in known[:12]) or "none"
    if program is None and len(known) != 1:
        raise UsageError(
            f"expected --program, the object has {len(known)}", hint=f"programs here: {names}"
        )
    chosen = [each for each in known if program in (None, each[1])]
    if not chosen:
        raise UsageError(
            f"expected the name of a program, got {program!r}", hint=f"programs here: {names}"
        )
    return chosen[0]
