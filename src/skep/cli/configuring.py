"""``skep inspect --set``: what is left of an object whose constants have certain values."""

from collections.abc import Iterable, Iterator, Mapping

from skep.bytecode.analysis.configuring import configure
from skep.bytecode.analysis.report_standing import Configured
from skep.bytecode.objectfile.model import ObjectFile
from skep.cli.assignments import parse_assignments
from skep.cli.output import Output
from skep.cli.rows import field_lines
from skep.cli.subjects import Inspected
from skep.errors import UsageError
from skep.json_documents import schema_id

SCHEMA = schema_id("inspect-set")


def show_configured(subject: Inspected, texts: Iterable[str], output: Output) -> None:
    """Say what a kernel drops with ``NAME=VALUE`` texts put into constants.

    Raises:
        UsageError: no object has a constant of that name, or the value does not fit it.
    """
    wanted = parse_assignments(texts)
    objects = subject.read()
    known = {
        variable.name
        for each in objects.values()
        for variable in each.variables
        if variable.section.startswith(".rodata")
    }
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"there is no constant {name!r}",
                hint=f"it has {', '.join(sorted(known)[:8]) or 'none'}",
            )
    found = {
        title: configure(each, _bytes(each, wanted), program_types=subject.program_types)
        for title, each in objects.items()
    }
    output.emit(
        {
            **subject.document,
            "schema": SCHEMA,
            "set": wanted,
            "objects": {title: each.to_document() for title, each in found.items()},
        },
        lambda: _lines(subject.title, wanted, found, output),
    )


def _bytes(object_file: ObjectFile, wanted: Mapping[str, str]) -> dict[str, bytes]:
    values = {}
    for variable in object_file.variables:
        if variable.name not in wanted:
            continue
        text = wanted[variable.name]
        try:
            number = int({"true": "1", "false": "0"}.get(text, text), 0)
            values[variable.name] = number.to_bytes(
                variable.size, object_file.byteorder, signed=number < 0
            )
        except (ValueError, OverflowError) as error:
            raise UsageError(
                f"{variable.name}: expected a number of {variable.size} bytes, got {text[:40]!r}"
            ) from error
    return values


def _lines(
    heading: str, wanted: Mapping[str, str], found: Mapping[str, Configured], output: Output
) -> Iterator[str]:
    surface = output.surface()
    settings = ", ".join(f"{name}={value}" for name, value in wanted.items())
    yield output.style(f"{heading}  with {settings}", "bold")
    for title, each in found.items():
        if len(found) > 1:
            yield f"object {title}"
        gone = {
            "Can": [permission.id for permission in each.permissions],
            "Helpers": each.helpers,
            "Code": each.functions,
            "Maps": each.maps,
            "Kfuncs": each.kernel_functions,
        }
        for name, names in gone.items():
            if names:
                yield from field_lines(name, [f"no longer: {', '.join(names)}"], surface)
        if each.instructions:
            are = "instruction is" if each.instructions == 1 else "instructions are"
            left = f"{each.instructions} {are} never reached"
            yield from field_lines("Code", [left], surface)
        yield from field_lines("Needs", [f"Linux {each.oldest_kernel} or newer"], surface)
