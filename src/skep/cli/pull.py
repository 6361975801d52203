"""``skep pull``: fetch a package and its signatures, every byte hashed."""

import click

from skep.cli import live_names
from skep.cli.context import invocation
from skep.cli.options import (
    Command,
    argument,
    json_option,
    marketplace_option,
    quiet_option,
    wide_option,
)
from skep.json_documents import schema_id


@click.command(
    "pull",
    cls=Command,
    examples=(
        "skep pull skep/ratelimiting",
        "skep pull skep/ratelimiting:1.2.0 --marketplace public",
    ),
)
@argument(
    "reference",
    metavar="REF",
    help="[MARKETPLACE/]publisher/name[:version].",
    shell_complete=live_names.packages,
)
@marketplace_option
@json_option
@quiet_option
@wide_option
def command(
    *, reference: str, marketplace: str | None, json: bool, quiet: bool, wide: bool
) -> None:
    """Fetch a package and its signatures, without running it."""
    from skep.cli.obtaining import pull_package
    from skep.packages.references import parse_reference

    run = invocation(json=json, quiet=quiet, wide=wide)
    pulled = pull_package(parse_reference(reference), marketplace, run.environment, run.output)
    place = pulled.marketplace.short
    what = "pulled" if pulled.changed else "unchanged:"
    run.output.emit(
        {
            "schema": schema_id("pull"),
            "package": pulled.package,
            "digest": pulled.digest,
            "marketplace": pulled.marketplace.url,
            "changed": pulled.changed,
        },
        lambda: [f"{what} {pulled.package} from {place}  {run.output.digest(pulled.digest)}"],
    )
