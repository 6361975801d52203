"""``skep verify``: is it what its publisher signed, byte for byte?"""

from pathlib import Path
from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, invocation


def command(
    what: Annotated[str, typer.Argument(metavar="REF|FOLDER", help="Package on this machine.")],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check a package's content and signature against the keys trusted here."""
    from skep.cli.locating import locate
    from skep.cli.verifying import verify_found
    from skep.errors import UsageError

    run = invocation(json=json, quiet=quiet)
    found = locate(what, run.environment)
    if isinstance(found, Path):
        raise UsageError(f"{found} is a file; only packages carry signatures")
    document = verify_found(found, run.environment)
    checked = document["checked"]
    steps = checked if isinstance(checked, list) else []
    run.output.emit(
        document,
        lambda: [
            f"verified {document['package']}  {document['digest']}",
            f"signed by {document['signed_by']}",
            *(f"  {run.output.style('✓', 'green')} {step}" for step in steps),
        ],
    )
