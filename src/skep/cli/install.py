"""``skep install``: what an app store shows, then one atomic change of a chain."""

from dataclasses import replace

import click

from skep.cli.context import invocation
from skep.cli.options import (
    Command,
    argument,
    json_option,
    marketplace_option,
    quiet_option,
    verbose_option,
    yes_option,
)


@click.command("install", cls=Command)
@argument("reference", metavar="REF", help="[MARKETPLACE/]publisher/name[:version].")
@click.option("--on", required=True, metavar="HOOK:TARGET", help="For example xdp:eth0.")
@click.option("--name", help="Name of the deployment.")
@click.option("--program", help="If there are several.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.option("--before", help="Run before this one.")
@click.option("--after", help="Run after this one.")
@click.option("--order", type=int, help="Lower runs first.")
@yes_option
@click.option(
    "--insecure-accept-unsigned",
    "insecure",
    is_flag=True,
    help="Skip signature verification.",
)
@click.option("--offline", is_flag=True, help="Use only what is on this node; no network.")
@marketplace_option
@json_option
@quiet_option
@verbose_option
def command(
    *,
    reference: str,
    on: str,
    name: str | None,
    program: str | None,
    settings: tuple[str, ...],
    before: str | None,
    after: str | None,
    order: int | None,
    yes: bool,
    insecure: bool,
    offline: bool,
    marketplace: str | None,
    json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Run a package on a hook: verify, show what it may do, ask, attach."""
    from skep.chains.ordering import parse_placement
    from skep.cli.assignments import parse_assignments
    from skep.cli.consenting import install_with_consent
    from skep.cli.nodes import require_root, this_node
    from skep.cli.obtaining import obtain_package
    from skep.hooks.table import parse_hook_target
    from skep.node.deploying.documents import install_document
    from skep.node.deploying.installing import InstallRequest
    from skep.packages.references import parse_reference

    run = invocation(json=json, quiet=quiet, verbose=verbose)
    target = parse_hook_target(on)
    wanted = parse_reference(reference)
    chosen = parse_assignments(settings)
    placement = parse_placement(before=before, after=after, order=order)
    require_root(run.environment)
    found = obtain_package(wanted, marketplace, run, offline=offline)
    with this_node(run.environment) as node:
        request = InstallRequest(
            reference=found.qualified,
            on=target,
            name=name,
            program=program,
            digest=found.descriptor.digest,
            placement=placement,
            settings=chosen,
            policy="insecure-accept-all" if insecure else "require-key",
        )
        report = install_with_consent(
            node,
            node.preview(request),
            run,
            lambda answer: node.install(replace(request, answer=answer)),
            yes=yes,
        )
    deployment = report.installed.deployment
    done = f"{deployment.name} runs on {deployment.on}"
    run.output.emit(
        install_document(report),
        lambda: [
            f"{done}; chain: {' → '.join(report.chain)}",
            *([report.remark] if report.remark else []),
        ],
        done=done,
    )
