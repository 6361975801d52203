"""``skep pull``: fetch a package and its signatures, every byte hashed."""

from contextlib import closing

import click

from skep.cli.context import invocation
from skep.cli.environment import Environment
from skep.cli.options import Command, argument, json_option, marketplace_option, quiet_option


def pull_package(reference: str, url: str, environment: Environment) -> tuple[str, str]:
    """Fetch a package into the content store; gives its full reference and digest."""
    from skep.packages.client.content_store import ContentStore
    from skep.packages.client.marketplace import MarketplaceClient
    from skep.packages.client.pulling import pull
    from skep.packages.references import parse_reference

    with closing(MarketplaceClient(url)) as client:
        pulled = pull(parse_reference(reference), client, ContentStore(environment.content))
    metadata = pulled.content.metadata
    return f"{metadata.name}:{metadata.version}", str(pulled.digest)


@click.command("pull", cls=Command)
@argument("reference", metavar="REF", help="publisher/name[:version].")
@marketplace_option
@json_option
@quiet_option
def command(*, reference: str, marketplace: str | None, json: bool, quiet: bool) -> None:
    """Fetch a package and its signatures to this machine."""
    run = invocation(json=json, quiet=quiet)
    full, digest = pull_package(
        reference, marketplace or run.environment.marketplace, run.environment
    )
    run.output.emit({"package": full, "digest": digest}, lambda: [f"pulled {full}  {digest}"])
