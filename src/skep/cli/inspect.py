"""``skep inspect``: the label of an object file or a package on this machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, VerboseOption, invocation


def command(
    what: Annotated[str, typer.Argument(metavar="FILE|REF", help="Object file or package.")],
    graph: Annotated[bool, typer.Option("--graph", help="Draw control flow as SVG.")] = False,
    program: Annotated[
        str | None, typer.Option("--program", metavar="NAME", help="Program to draw.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where the SVG goes.")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Say what an object file or package may do, needs, costs and is licensed as."""
    from skep.cli.files import read_file
    from skep.cli.label import label_lines
    from skep.cli.locating import derive_reports, locate

    run = invocation(json=json, quiet=quiet, verbose=verbose)
    found = locate(what, run.environment)
    if isinstance(found, Path):
        title, heading = found.name, str(found)
        objects = {title: read_file(found, "an object file")}
        types: Mapping[str, str] = {}
        document: dict[str, object] = {"file": str(found)}
    else:
        content = found.open()
        objects = dict(content.objects)
        types = content.metadata.program_types
        heading = f"{found.reference}  {content.metadata.summary}"
        document = {"package": found.reference, "digest": str(found.descriptor.digest)}
    if graph:
        from skep.cli.graphing import write_graph

        write_graph(objects, program, output, run.output)
        return
    reports = derive_reports(objects, types)
    document["reports"] = {name: report.to_document() for name, report in reports.items()}
    run.output.emit(
        document,
        lambda: [run.output.style(heading, "bold"), *label_lines(reports, run.output)],
    )
