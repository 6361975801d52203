"""``skep search``: find packages in a marketplace."""

import click

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
    "search", cls=Command, examples=("skep search limit", "skep search connections --limit 5")
)
@argument("words", nargs=-1, help="What to look for; name:WORD, summary:WORD look there only.")
@marketplace_option
@click.option("--limit", type=click.IntRange(1, 100), default=20, help="Maximum number of results.")
@json_option
@quiet_option
@wide_option
def command(
    *,
    words: tuple[str, ...],
    marketplace: str | None,
    limit: int,
    json: bool,
    quiet: bool,
    wide: bool,
) -> None:
    """Find packages by name, summary, hook or permission."""
    from skep.cli.asking import connected, meant_marketplace
    from skep.cli.obtaining import remember
    from skep.cli.searching import hit_lines
    from skep.packages.wire.search_query import parse_query

    run = invocation(json=json, quiet=quiet, wide=wide)
    text = " ".join(words)
    parse_query(text)
    place = meant_marketplace(run.environment, marketplace)
    with connected(place) as client:
        hits = client.search(text, limit)
    remember(run.environment, place, {hit.package: hit.version for hit in hits})
    run.output.emit(
        {
            "schema": schema_id("search"),
            "marketplace": place.url,
            "query": text,
            "packages": [
                {"package": hit.package, "version": str(hit.version), "summary": hit.summary}
                for hit in hits
            ],
        },
        lambda: hit_lines(hits, text, place, run.output.surface()),
    )
