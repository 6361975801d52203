"""``skep move``: another place in the chain, in one atomic exchange."""

from typing import TypedDict, Unpack

import click

from skep.cli import live_names
from skep.cli.context import invocation
from skep.cli.options import (
    Command,
    argument,
    dry_run_option,
    json_option,
    placement_options,
    quiet_option,
    yes_option,
)


class MoveWords(TypedDict):
    """What was typed, by option."""

    name: str
    before: str | None
    after: str | None
    order: int | None
    yes: bool
    dry_run: bool
    json: bool
    quiet: bool


@click.command(
    "move",
    cls=Command,
    examples=("skep move ratelimiting --before port-filter", "skep move ratelimiting --order 10"),
)
@argument("name", help="Name of the deployment.", shell_complete=live_names.deployment_names)
@placement_options
@yes_option
@dry_run_option
@json_option
@quiet_option
def command(**words: Unpack[MoveWords]) -> None:
    """Move a deployment to another place in its chain.

    The chain is replaced atomically: no packet passes unprocessed.
    """
    from skep.cli.changing import done_text, emit_change
    from skep.cli.consenting import change_with_consent, show_needs
    from skep.cli.nodes import this_node
    from skep.errors import UsageError
    from skep.node.deploying.documents import move_document

    run = invocation(json=words["json"], quiet=words["quiet"])
    name = words["name"]
    before, after, order = words["before"], words["after"], words["order"]
    if before is None and after is None and order is None:
        raise UsageError(
            "expected a new place: --before NAME, --after NAME or --order NUMBER",
            hint=f"skep move {name} --order 1",
        )
    with this_node(run.environment) as node:
        if words["dry_run"]:
            changed = node.foresee_move(name, before=before, after=after, order=order)
        else:
            changed = change_with_consent(
                node,
                run,
                lambda answer: node.move(
                    name, before=before, after=after, order=order, answer=answer
                ),
                yes=words["yes"],
            )
    if words["yes"] or words["dry_run"]:
        show_needs(changed.plan.needs, run)
    text = f"{done_text(changed, 'chain', 'chain would be')}: {' → '.join(changed.chain)}"
    emit_change(run.output, changed, move_document(changed), text, done=text)
