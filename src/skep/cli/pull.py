"""``skep pull``: fetch a package and its signatures, every byte hashed."""

from contextlib import closing
from typing import Annotated

import typer

from skep.cli.context import JsonOption, MarketplaceOption, QuietOption, invocation
from skep.cli.environment import Environment


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


def command(
    reference: Annotated[str, typer.Argument(metavar="REF", help="publisher/name[:version].")],
    marketplace: MarketplaceOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fetch a package and its signatures to this machine."""
    run = invocation(json=json, quiet=quiet)
    full, digest = pull_package(
        reference, marketplace or run.environment.marketplace, run.environment
    )
    run.output.emit({"package": full, "digest": digest}, lambda: [f"pulled {full}  {digest}"])
