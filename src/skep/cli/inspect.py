"""``skep inspect``: the label of an object file or a package on this machine."""

from pathlib import Path
from typing import TypedDict, Unpack

import click

from skep.cli import live_names
from skep.cli.context import invocation
from skep.cli.options import PATH, Command, argument, json_option, quiet_option, verbose_option


class InspectWords(TypedDict):
    """What was typed, by option."""

    what: str
    why: str | None
    disassemble: bool
    graph: bool
    kernel: str | None
    strict: bool
    constants: tuple[str, ...]
    program: str | None
    to: Path | None
    json: bool
    quiet: bool
    verbose: bool


@click.command(
    "inspect",
    cls=Command,
    examples=(
        "skep inspect limit.bpf.o",
        "skep inspect skep/ratelimiting --why net.drop",
        "skep inspect limit.bpf.o --kernel running",
    ),
)
@argument(
    "what",
    metavar="FILE|REF",
    help="Object file or package.",
    shell_complete=live_names.files_and_packages,
)
@click.option(
    "--why",
    metavar="PERMISSION",
    help="Show the evidence for a permission.",
    shell_complete=live_names.permissions,
)
@click.option("--disassemble", is_flag=True, help="Print the instructions and their sources.")
@click.option("--graph", is_flag=True, help="Draw the control flow of a program as SVG.")
@click.option(
    "--kernel",
    metavar="FILE|VERSION",
    help="Check against a vmlinux, a BTF file, a version, or 'running'.",
)
@click.option("--strict", is_flag=True, help="With --kernel: fail also if the answer is unknown.")
@click.option(
    "--set",
    "constants",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a constant; show which code that switches off.",
)
@click.option(
    "--program", metavar="NAME", help="Only this program.", shell_complete=live_names.programs
)
@click.option("-o", "--output", "to", type=PATH, metavar="FILE", help="File to write the SVG to.")
@json_option
@quiet_option
@verbose_option
def command(**words: Unpack[InspectWords]) -> None:
    """Show what an object file or package can do, needs and costs."""
    from skep.cli.subjects import find_subject
    from skep.errors import UsageError

    run = invocation(json=words["json"], quiet=words["quiet"], verbose=words["verbose"])
    why, kernel, constants = words["why"], words["kernel"], words["constants"]
    program, to = words["program"], words["to"]
    views = [why is not None, words["disassemble"], words["graph"]]
    if sum([*views, kernel is not None, bool(constants)]) > 1:
        raise UsageError(
            "expected one of --why, --disassemble, --graph, --kernel and --set, got several"
        )
    if program is not None and not any(views):
        raise UsageError("--program goes with --why, --disassemble or --graph")
    if words["strict"] and kernel is None:
        raise UsageError("--strict goes with --kernel")
    if to is not None and not words["graph"]:
        raise UsageError("--output goes with --graph")
    if why is not None:
        from skep.cli.explaining import check_permission

        check_permission(why)
    subject = find_subject(words["what"], run.environment)
    document = dict(subject.document)
    if words["disassemble"]:
        from skep.cli.disassembling import choose_programs, listing_document, listing_lines

        listings = choose_programs(subject.read(), program)
        document |= listing_document(listings)
        run.output.emit(document, lambda: listing_lines(listings, run.output))
    elif kernel is not None:
        from skep.cli.kernel_checking import check_kernel

        check_kernel(subject, kernel, run.output, is_strict=words["strict"])
    elif constants:
        from skep.cli.configuring import show_configured

        show_configured(subject, constants, run.output)
    elif words["graph"]:
        from skep.cli.graphing import draw

        draw(subject, program, to, run.output)
    elif why is not None:
        from skep.cli.explaining import explain, explanation_lines

        explanation = explain(subject, why, program)
        document |= explanation
        run.output.emit(document, lambda: explanation_lines(explanation, run.output))
    else:
        from skep.cli.inspecting import inspect_subject

        inspect_subject(subject, run.output)
