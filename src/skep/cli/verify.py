"""``skep verify``: is it what its publisher signed, byte for byte?"""

from pathlib import Path

import click

from skep.cli import live_names
from skep.cli.context import invocation
from skep.cli.options import Command, argument, json_option, quiet_option, wide_option


@click.command(
    "verify",
    cls=Command,
    examples=("skep verify skep/ratelimiting", "skep verify dist/ratelimiting-1.2.0.oci"),
)
@argument(
    "what",
    metavar="REF|FOLDER",
    help="Package on this machine.",
    shell_complete=live_names.files_and_packages,
)
@json_option
@quiet_option
@wide_option
def command(*, what: str, json: bool, quiet: bool, wide: bool) -> None:
    """Check a package's content and signature against trusted keys."""
    from skep.cli.locating import locate
    from skep.cli.verifying import verify_found
    from skep.errors import UsageError

    run = invocation(json=json, quiet=quiet, wide=wide)
    found = locate(what, run.environment)
    if isinstance(found, Path):
        raise UsageError(
            f"{found} is a file; only packages carry signatures", hint=f"skep inspect {what}"
        )
    document = verify_found(found, run.environment)
    checked = document["checked"]
    steps = checked if isinstance(checked, list) else []
    short = run.output.surface().digests
    run.output.emit(
        document,
        lambda: [
            f"verified {document['package']}  {run.output.digest(document['digest'])}",
            f"signed by {document['signed_by']}",
            *(f"  {run.output.style('✓', 'green')} {short(str(step))}" for step in steps),
        ],
    )
