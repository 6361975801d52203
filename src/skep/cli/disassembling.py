"""The listing of ``skep inspect --disassemble``."""

from collections.abc import Iterator, Mapping, Sequence

from skep.bytecode.analysis.listing import ListedFunction, list_program, source_text
from skep.bytecode.objectfile.model import ObjectFile
from skep.cli.output import Output
from skep.json_documents import schema_id

Listings = Mapping[str, Sequence[ListedFunction]]


def choose_programs(objects: Mapping[str, ObjectFile], program: str | None) -> Listings:
    """Listings by program name, of all programs or of ``program``.

    Raises:
        UsageError: no object has a program of that name.
    """
    from skep.errors import Misnamed, UsageError

    known = [spec.name for each in objects.values() for spec in each.programs]
    if program is not None and program not in known:
        raise UsageError(
            f"expected the name of a program, got {program!r}",
            hint=f"programs here: {', '.join(known[:12]) or 'none'}",
            misnamed=Misnamed(program, tuple(known)),
        )
    return {
        spec.name: list_program(each, spec.name)
        for each in objects.values()
        for spec in each.programs
        if program in (None, spec.name)
    }


def listing_lines(listings: Listings, output: Output) -> Iterator[str]:
    """As the verifier's log has it; functions have a line of their own."""
    for name, functions in listings.items():
        yield output.style(f"program {name}", "bold")
        for function in functions:
            yield output.style(f"{function.name}:", "cyan")
            last = ""
            for each in function.instructions:
                if each.source is not None and each.source.text.strip():
                    text = source_text(each.source)
                    if text != last:
                        yield output.style(f"; {text}", "dim")
                    last = text
                label = output.style(f"  <{each.label}>", "cyan") if each.label else ""
                yield f"{each.slot:>4}: ({each.opcode:02x}) {each.text}{label}"


def listing_document(listings: Listings) -> dict[str, object]:
    """As a document."""
    return {
        "schema": schema_id("inspect-disassemble"),
        "programs": [
            {
                "name": name,
                "functions": [
                    {
                        "name": function.name,
                        "start": function.start,
                        "instructions": [
                            {
                                "slot": each.slot,
                                "opcode": each.opcode,
                                "text": each.text,
                                "label": each.label,
                                "source": None if each.source is None else source_text(each.source),
                            }
                            for each in function.instructions
                        ],
                    }
                    for function in functions
                ],
            }
            for name, functions in listings.items()
        ],
    }
