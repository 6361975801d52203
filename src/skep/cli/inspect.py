"""``skep inspect``: the label of an object file or a package on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, VerboseOption, invocation


def command(
    what: Annotated[str, typer.Argument(metavar="FILE|REF", help="Object file or package.")],
    why: Annotated[
        str | None, typer.Option("--why", metavar="PERMISSION", help="Show the evidence for it.")
    ] = None,
    disassemble: Annotated[
        bool, typer.Option("--disassemble", help="Print the instructions and their sources.")
    ] = False,
    graph: Annotated[
        bool, typer.Option("--graph", help="Draw the control flow of a program as SVG.")
    ] = False,
    kernel: Annotated[
        str | None,
        typer.Option(
            "--kernel",
            metavar="FILE|VERSION",
            help="Check against a vmlinux, a BTF file, a version, or 'running'.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="With --kernel: fail if it cannot be told, too.")
    ] = False,
    constants: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Say what a constant switches off."),
    ] = None,
    program: Annotated[
        str | None, typer.Option("--program", metavar="NAME", help="Only this program.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where the SVG goes.")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Say what an object file or package may do, needs, costs and is licensed as."""
    from skep.cli.subjects import find_subject
    from skep.errors import UsageError

    run = invocation(json=json, quiet=quiet, verbose=verbose)
    views = [why is not None, disassemble, graph]
    if sum([*views, kernel is not None, bool(constants)]) > 1:
        raise UsageError(
            "expected one of --why, --disassemble, --graph, --kernel and --set, got several"
        )
    if program is not None and not any(views):
        raise UsageError("--program goes with --why, --disassemble or --graph")
    if strict and kernel is None:
        raise UsageError("--strict goes with --kernel")
    if to is not None and not graph:
        raise UsageError("--output goes with --graph")
    if why is not None:
        from skep.cli.explaining import check_permission

        check_permission(why)
    subject = find_subject(what, run.environment)
    document = dict(subject.document)
    if disassemble:
        from skep.cli.disassembling import choose_programs, listing_document, listing_lines

        listings = choose_programs(subject.read(), program)
        document |= listing_document(listings)
        run.output.emit(document, lambda: listing_lines(listings, run.output))
    elif kernel is not None:
        from skep.cli.kernel_checking import check_kernel

        check_kernel(subject, kernel, run.output, is_strict=strict)
    elif constants:
        from skep.cli.configuring import show_configured

        show_configured(subject, constants, run.output)
    elif graph:
        from skep.cli.graphing import draw

        draw(subject, program, to, run.output)
    elif why is not None:
        from skep.cli.explaining import explain, explanation_lines

        explanation = explain(subject, why, program)
        document |= explanation
        run.output.emit(document, lambda: explanation_lines(explanation, run.output))
    else:
        from skep.cli.label import label_lines

        reports = subject.reports()
        if subject.licence is not None:
            from skep.cli.licence_rows import licence_facts

            document["licence"] = licence_facts(subject.licence, reports)
        document["reports"] = {name: report.to_document() for name, report in reports.items()}
        run.output.emit(
            document,
            lambda: [
                run.output.style(subject.heading, "bold"),
                *label_lines(reports, run.output, declared=subject.licence),
            ],
        )
