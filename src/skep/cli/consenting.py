"""What an app store shows before anything is loaded, and the question."""

import sys
from collections.abc import Iterator
from functools import partial

import typer

from skep.cli.context import Invocation
from skep.cli.label import cost_line, field_lines, licence_lines, may_lines
from skep.node.previewing import Preview


def preview_lines(preview: Preview, run: Invocation) -> Iterator[str]:
    """What is shown before anything is loaded."""
    metadata = preview.package.content.metadata
    style = run.output.style
    rows = partial(field_lines, width=run.output.width)
    heading = style(f"{metadata.name} {metadata.version}", "bold")
    yield f"{heading}  {metadata.summary}   {preview.program} → {preview.on}"
    reports = preview.reports.values()
    if preview.accepts_unsigned:
        yield from rows("publisher", [style("nobody's signature was checked", "red")])
    else:
        since = (
            f" (trusted since {preview.trusted_since:%Y-%m-%d})" if preview.trusted_since else ""
        )
        key = preview.package.evidence.fingerprint[:23]
        signed = style("signed ✓", "green")
        yield from rows("publisher", [f"{metadata.publisher}, key {key}…{since}  {signed}"])
    if not preview.report_matches:
        yield from rows(
            "attention", [style("the package's own report differs from what is shown", "red")]
        )
    yield from rows("licence", licence_lines(metadata.licence, preview.reports))
    yield from rows("may", may_lines(reports, run.output))
    fits = style("✓", "green") if preview.kernel_suffices else style("too old", "red")
    yield from rows(
        "needs",
        [f"Linux {preview.oldest_kernel} or newer; this node: {preview.kernel.version} {fits}"],
    )
    yield from rows("costs", [cost_line(reports)])
    yield from rows(
        "settings",
        [
            f"{setting.name} = {setting.text or '(nothing)'}"
            + ("  default" if setting.is_default else "")
            for setting in preview.settings
        ],
    )
    places = [
        f"{number} {place.name}{' ← new' if place.is_new else ''}"
        for number, place in enumerate(preview.chain, 1)
    ]
    yield from rows("chain", [f"{preview.on}: {', '.join(places)}"])


def ask_consent(preview: Preview, run: Invocation, *, is_given: bool) -> None:
    """Ask, if there is somebody to ask; otherwise the command itself was the answer."""
    if run.output.json or run.output.quiet:
        return
    for line in preview_lines(preview, run):
        print(line, file=run.output.err)
    if not is_given and sys.stdin.isatty():
        typer.confirm("Install?", abort=True, err=True)
