"""``skep search``: find packages in a marketplace."""

from contextlib import closing
from typing import Annotated

import typer

from skep.cli.context import JsonOption, MarketplaceOption, QuietOption, invocation


def command(
    words: Annotated[list[str] | None, typer.Argument(help="What to look for.")] = None,
    marketplace: MarketplaceOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="At most so many.")] = 20,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find packages by words of their names, summaries, hooks and permissions."""
    from skep.cli.output import table
    from skep.packages.client.marketplace import MarketplaceClient

    run = invocation(json=json, quiet=quiet)
    url = marketplace or run.environment.marketplace
    with closing(MarketplaceClient(url)) as client:
        hits = client.search(" ".join(words or ()), limit)
    rows = [[hit.package, str(hit.version), hit.summary] for hit in hits]
    run.output.emit(
        {
            "marketplace": url,
            "packages": [
                {"package": hit.package, "version": str(hit.version), "summary": hit.summary}
                for hit in hits
            ],
        },
        lambda: table(rows, ["package", "version", "summary"]) if rows else ["nothing found"],
    )
