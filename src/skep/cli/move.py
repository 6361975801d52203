"""``skep move``: another place in the chain, in one atomic exchange."""

from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, YesOption, invocation


def command(
    name: Annotated[str, typer.Argument(help="Name of the deployment.")],
    before: Annotated[str | None, typer.Option("--before", help="Run before this one.")] = None,
    after: Annotated[str | None, typer.Option("--after", help="Run after this one.")] = None,
    order: Annotated[int | None, typer.Option("--order", help="Lower runs first.")] = None,
    yes: YesOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Give a deployment another place in its chain; no packet passes unprocessed."""
    from skep.cli.consenting import change_with_consent
    from skep.cli.nodes import this_node
    from skep.errors import UsageError

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
    run.output.emit({"name": name, "chain": [*chain]}, lambda: [f"chain: {' → '.join(chain)}"])
