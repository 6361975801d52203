"""``skep chain``: the ordered programs on a hook, and what each counted."""

import click

from skep.cli import live_names
from skep.cli.context import invocation
from skep.cli.options import Command, argument, json_option, quiet_option


@click.command("chain", cls=Command, examples=("skep chain", "skep chain xdp:eth0"))
@argument(
    "hook",
    required=False,
    metavar="[HOOK:TARGET]",
    help="Such as xdp:eth0. Default: all.",
    shell_complete=live_names.declared_targets,
)
@json_option
@quiet_option
def command(*, hook: str | None, json: bool, quiet: bool) -> None:
    """Show the programs on a hook in order, and what each counted."""
    from skep.cli.listings import (
        chain_heading,
        chain_remarks,
        doubt_text,
        shown_target,
    )
    from skep.cli.metadata_rows import continuation_text
    from skep.cli.nodes import this_node
    from skep.errors import SkepError
    from skep.hooks.table import parse_hook_target
    from skep.node.looking.documents import Counted, chains_document
    from skep.node.looking.listing import ChainView
    from skep.node.observing.metrics import Metric

    run = invocation(json=json, quiet=quiet)
    target = parse_hook_target(hook) if hook else None
    chains: list[tuple[ChainView, dict[str, Counted]]] = []
    lines: list[str] = []
    with this_node(run.environment) as node, node.look() as look:
        if look.doubt is not None:
            run.output.warn(doubt_text(look.doubt))
        here = look.here()
        views = [look.chain(target)] if target else list(look.chains())
        for view in views:
            counters: dict[str, Counted] = {}
            on = run.output.style(shown_target(view.on, here), "bold")
            lines.append(f"{on}  {chain_heading(view)}")
            for number, member in enumerate(view.members, 1):
                deployment = member.deployment
                metrics: tuple[Metric, ...] = ()
                problem = ""
                try:
                    metrics = look.metrics(deployment.name)
                except SkepError as error:  # what counts where is in the package
                    problem = error.message
                    hint = f"; {error.hint}" if error.hint else ""
                    run.output.warn(f"cannot count {deployment.name}: {problem}{hint}")
                values = {metric.name: metric.value for metric in metrics}
                counters[deployment.name] = Counted(values, problem)
                counted = "  ".join(
                    f"{name} {'?' if value is None else value}" for name, value in values.items()
                )
                if problem:
                    counted = "?"
                elif not all(metric.has_map for metric in metrics):
                    counted += "  (its map is missing)"
                ends = "a tail call ends the chain" if member.measured.may_tail_call else ""
                parts = (deployment.name, continuation_text(deployment.run_on), ends, counted)
                lines.append(f"  {number} {'  '.join(filter(None, parts))}")
            lines += [f"  {each}" for each in chain_remarks(view)]
            chains.append((view, counters))
    run.output.emit(chains_document(chains), lambda: lines or ["no chains on this node"])
