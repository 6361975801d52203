"""``skep move``: another place in the chain, in one atomic exchange."""

import click

from skep.cli.context import invocation
from skep.cli.options import Command, argument, json_option, quiet_option, yes_option


@click.command("move", cls=Command)
@argument("name", help="Name of the deployment.")
@click.option("--before", help="Run before this one.")
@click.option("--after", help="Run after this one.")
@click.option("--order", type=int, help="Lower runs first.")
@yes_option
@json_option
@quiet_option
def command(
    *,
    name: str,
    before: str | None,
    after: str | None,
    order: int | None,
    yes: bool,
    json: bool,
    quiet: bool,
) -> None:
    """Give a deployment another place in its chain; no packet passes unprocessed."""
    from skep.cli.consenting import change_with_consent
    from skep.cli.nodes import this_node
    from skep.errors import UsageError
    from skep.node.deploying.documents import move_document

    run = invocation(json=json, quiet=quiet)
    if before is None and after is None and order is None:
        raise UsageError("expected a place", hint="--before NAME, --after NAME or --order NUMBER")
    with this_node(run.environment) as node:
        chain = change_with_consent(
            node,
            run,
            lambda answer: node.move(name, before=before, after=after, order=order, answer=answer),
            yes=yes,
        )
    done = f"chain: {' → '.join(chain)}"
    run.output.emit(move_document(name, chain), lambda: [done], done=done)
