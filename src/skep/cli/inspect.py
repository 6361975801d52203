"""``skep inspect``: the label of an object file or a package on this machine."""

from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, VerboseOption, invocation


def command(
    what: Annotated[str, typer.Argument(metavar="FILE|REF", help="Object file or package.")],
    why: Annotated[
        str | None,
        typer.Option("--why", metavar="PERMISSION", help="Show what in the code says so."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Say what an object file or package may do, needs, costs and is licensed as."""
    from skep.cli.explaining import explain
    from skep.cli.label import label_lines
    from skep.cli.locating import locate_objects

    run = invocation(json=json, quiet=quiet, verbose=verbose)
    found = locate_objects(what, run.environment)
    if why is not None:
        explain(found, why, run.output)
        return
    reports = found.reports()
    document = found.identity | {
        "reports": {name: report.to_document() for name, report in reports.items()}
    }
    run.output.emit(
        document,
        lambda: [run.output.style(found.heading, "bold"), *label_lines(reports, run.output)],
    )
