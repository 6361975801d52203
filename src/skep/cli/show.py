"""``skep show``: what a marketplace says about a package."""

import click

from skep.cli import live_names
from skep.cli.context import invocation
from skep.cli.options import (
    Command,
    argument,
    json_option,
    marketplace_option,
    quiet_option,
    verbose_option,
)
from skep.json_documents import schema_id


@click.command(
    "show",
    cls=Command,
    examples=("skep show skep/ratelimiting", "skep show skep/ratelimiting:1.2.0 --json"),
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
@verbose_option
def command(
    *, reference: str, marketplace: str | None, json: bool, quiet: bool, verbose: bool
) -> None:
    """Show what a package can do, needs and costs, and who signed it."""
    from skep.cli.asking import connected, known_marketplaces
    from skep.cli.metadata_rows import metadata_document
    from skep.cli.obtaining import remember
    from skep.cli.showing import Shown, shown_lines, trusted_since
    from skep.errors import NotFound
    from skep.packages.client.describing import fetch_metadata
    from skep.packages.references import parse_reference
    from skep.versions import newest

    run = invocation(json=json, quiet=quiet, verbose=verbose)
    wanted = parse_reference(reference)
    place = known_marketplaces(run.environment).of(wanted, marketplace)
    with connected(place) as client:
        listed = client.show(wanted.publisher, wanted.name)
        if (offered := newest(one.version for one in listed.versions)) is not None:
            remember(run.environment, place, {wanted.package: offered})
        version = listed.meant(wanted.version, wanted.digest)
        known = [str(one.version) for one in listed.versions]
        if version is None:
            raise NotFound(
                f"{place.short} has no {wanted.local}; versions there: {', '.join(known)}",
                hint=f"skep show {place.short}/{wanted.package}:{known[0]}",
            )
        metadata = fetch_metadata(client, wanted.package, version.version, version.digest)
    shown = Shown(
        listed,
        version,
        metadata,
        trusted_since(run.environment, wanted.publisher, version.signed_by),
        f"{wanted.package}:{version.version}",
    )
    run.output.emit(
        {
            "schema": schema_id("show"),
            "marketplace": place.url,
            "package": wanted.package,
            **version.to_document(),
            "versions": known,
            **metadata_document(metadata),
        },
        lambda: shown_lines(shown, run.output.surface()),
    )
