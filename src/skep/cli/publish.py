"""``skep publish``: push a signed package to a marketplace and have it published."""

from contextlib import closing
from pathlib import Path

import click

from skep.cli.context import invocation
from skep.cli.options import PATH, Command, argument, json_option, marketplace_option, quiet_option


def publish_layout(layout: Path, url: str) -> dict[str, object]:
    """Push the package in ``layout`` with its signatures and publish it; gives the receipt."""
    from skep.cli.locating import open_layout
    from skep.packages.client.marketplace import MarketplaceClient
    from skep.packages.client.pushing import push

    found = open_layout(layout)
    with closing(MarketplaceClient(url)) as client:
        push(found.store, found.descriptor.digest, client)
        publisher, _, name = found.name.partition("/")
        receipt = client.publish(publisher, name, found.descriptor.digest)
    return {
        "package": receipt.package,
        "version": str(receipt.version),
        "digest": str(receipt.digest),
        "published_at": receipt.published_at,
        "verdict": dict(receipt.verdict),
    }


@click.command("publish", cls=Command)
@argument("layout", type=PATH, help="Package folder (….oci) or its project folder.")
@marketplace_option
@json_option
@quiet_option
def command(*, layout: Path, marketplace: str | None, json: bool, quiet: bool) -> None:
    """Publish a signed package."""
    run = invocation(json=json, quiet=quiet)
    url = marketplace or run.environment.marketplace
    receipt = publish_layout(layout, url)
    run.output.emit(
        receipt,
        lambda: [
            f"published {receipt['package']}:{receipt['version']}  {receipt['digest']}",
            f"at {url}",
        ],
    )
