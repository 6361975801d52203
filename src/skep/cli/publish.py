"""``skep publish``: push a signed package to a marketplace and have it published."""

from pathlib import Path

import click

from skep.cli.context import invocation
from skep.cli.options import (
    PATH,
    Command,
    argument,
    json_option,
    marketplace_option,
    quiet_option,
    wide_option,
)


@click.command(
    "publish",
    cls=Command,
    examples=("skep publish .", "skep publish dist/ratelimiting-1.2.0.oci --marketplace public"),
)
@argument("layout", type=PATH, help="Package folder (….oci) or its project folder.")
@marketplace_option
@json_option
@quiet_option
@wide_option
def command(*, layout: Path, marketplace: str | None, json: bool, quiet: bool, wide: bool) -> None:
    """Publish a signed package."""
    from skep.cli.asking import meant_marketplace
    from skep.cli.progress import working
    from skep.cli.publishing import publish_layout

    run = invocation(json=json, quiet=quiet, wide=wide)
    place = meant_marketplace(run.environment, marketplace)
    with working(f"publishing {layout} at {place.short}", run.output) as progress:
        receipt = publish_layout(layout, place, progress)
    run.output.emit(
        receipt.to_document(),
        lambda: [
            f"published {receipt.package}:{receipt.version}  {run.output.digest(receipt.digest)}",
            f"at {place}",
        ],
    )
