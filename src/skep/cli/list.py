"""``skep list``: what this node should run, and whether it does."""

import click

from skep.cli.context import Invocation, invocation
from skep.cli.options import Command, json_option, quiet_option
from skep.node.looking.listing import Listed


def _repaired(run: Invocation) -> tuple[Listed, ...]:
    """What is deployed once the change that a crash interrupted is repaired."""
    from skep.cli.nodes import this_node

    with this_node(run.environment) as node:
        node.recover()
        run.output.note("a change was interrupted; everything is as it was before it")
        return node.installed()


@click.command("list", cls=Command)
@json_option
@quiet_option
def command(*, json: bool, quiet: bool) -> None:
    """List deployments, their places and whether they run."""
    from skep.cli.consent_documents import consent_document
    from skep.cli.output import table
    from skep.cli.reading import this_node_for_reading

    run = invocation(json=json, quiet=quiet)
    with this_node_for_reading(run.environment) as node:
        listed, interrupted = node.installed(), node.interrupted()
    if interrupted:
        listed = _repaired(run)
    rows = []
    documents = []
    for one in listed:
        deployment = one.deployment
        flags = [" unsigned" if deployment.accepts_unsigned else ""]
        flags += [f" missing map {pin}" for pin in one.maps_missing]
        rows.append(
            [
                str(deployment.on),
                str(deployment.order),
                deployment.name,
                deployment.reference,
                one.condition + "".join(flags),
            ]
        )
        documents.append(
            {
                "name": deployment.name,
                "package": deployment.reference,
                "digest": deployment.digest,
                "program": deployment.program,
                "on": str(deployment.on),
                "order": deployment.order,
                "run_on": [*deployment.run_on],
                "settings": dict(deployment.settings),
                "signer": deployment.signer,
                "is_unsigned": deployment.accepts_unsigned,
                "condition": one.condition,
                "maps_missing": [*one.maps_missing],
                "installed_at": one.installed.installed_at,
                "consent": consent_document(one.installed.consent),
            }
        )
    run.output.emit(
        {"deployments": documents},
        lambda: (
            table(rows, ["on", "order", "name", "package", "state"])
            if rows
            else ["nothing is deployed here"]
        ),
    )
