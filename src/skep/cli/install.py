"""``skep install``: what an app store shows, then one atomic change of a chain."""

from dataclasses import replace
from typing import Annotated

import typer

from skep.cli.context import (
    JsonOption,
    MarketplaceOption,
    QuietOption,
    VerboseOption,
    YesOption,
    invocation,
)


def command(
    reference: Annotated[str, typer.Argument(metavar="REF", help="publisher/name[:version].")],
    on: Annotated[str, typer.Option("--on", metavar="HOOK:TARGET", help="For example xdp:eth0.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the deployment.")] = None,
    program: Annotated[str | None, typer.Option("--program", help="If there are several.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="May be repeated.")
    ] = None,
    before: Annotated[str | None, typer.Option("--before", help="Run before this one.")] = None,
    after: Annotated[str | None, typer.Option("--after", help="Run after this one.")] = None,
    order: Annotated[int | None, typer.Option("--order", help="Lower runs first.")] = None,
    yes: YesOption = False,
    insecure: Annotated[
        bool, typer.Option("--insecure-accept-unsigned", help="Skip signature verification.")
    ] = False,
    marketplace: MarketplaceOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Run a package on a hook: verify, show what it may do, ask, attach."""
    from skep.chains.ordering import parse_placement
    from skep.cli.assignments import parse_assignments
    from skep.cli.consent_documents import consent_document
    from skep.cli.consenting import install_with_consent
    from skep.cli.locating import find_stored
    from skep.cli.nodes import require_root, this_node
    from skep.cli.pull import pull_package
    from skep.hooks.table import parse_hook_target
    from skep.node.deploying.installing import InstallRequest
    from skep.packages.references import parse_reference

    run = invocation(json=json, quiet=quiet, verbose=verbose)
    target = parse_hook_target(on)
    wanted = parse_reference(reference)
    chosen = parse_assignments(settings or ())
    placement = parse_placement(before=before, after=after, order=order)
    require_root(run.environment)
    found = find_stored(wanted, run.environment)
    if found is None:
        full, digest = pull_package(
            reference, marketplace or run.environment.marketplace, run.environment
        )
        run.output.note(f"pulled {full}  {digest}")
        found = find_stored(parse_reference(full), run.environment)
    if found is None:  # pulled, and removed by somebody else since
        raise typer.Abort
    with this_node(run.environment) as node:
        request = InstallRequest(
            reference=parse_reference(found.reference),
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
    run.output.emit(
        {
            "deployment": deployment.name,
            "package": deployment.reference,
            "digest": deployment.digest,
            "on": str(deployment.on),
            "chain": [*report.chain],
            "signer": deployment.signer,
            "is_unsigned": deployment.accepts_unsigned,
            "consent": consent_document(report.installed.consent),
        },
        lambda: [
            f"{deployment.name} runs on {deployment.on}; chain: {' → '.join(report.chain)}",
        ],
    )
