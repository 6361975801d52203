"""``skep install``: what an app store shows, then one atomic change of a chain."""

from dataclasses import replace
from typing import TypedDict, Unpack

import click

from skep.cli import live_names
from skep.cli.context import invocation
from skep.cli.options import (
    Command,
    argument,
    dry_run_option,
    json_option,
    marketplace_option,
    placement_options,
    quiet_option,
    verbose_option,
    yes_option,
)


class InstallWords(TypedDict):
    """What was typed, by option."""

    reference: str
    on: str
    name: str | None
    program: str | None
    settings: tuple[str, ...]
    before: str | None
    after: str | None
    order: int | None
    yes: bool
    dry_run: bool
    insecure: bool
    offline: bool
    marketplace: str | None
    json: bool
    quiet: bool
    verbose: bool


@click.command(
    "install",
    cls=Command,
    examples=(
        "skep install skep/ratelimiting --on xdp:eth0",
        "skep install skep/ratelimiting:1.2.0 --on xdp:eth0 --set rate=500/s --yes",
    ),
)
@argument(
    "reference",
    metavar="REF",
    help="[MARKETPLACE/]publisher/name[:version].",
    shell_complete=live_names.packages,
)
@click.option(
    "--on",
    required=True,
    metavar="HOOK:TARGET",
    help="For example xdp:eth0.",
    shell_complete=live_names.targets,
)
@click.option("--name", help="Name of the deployment.")
@click.option(
    "--program",
    metavar="NAME",
    help="The program, if the package has several.",
    shell_complete=live_names.programs,
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Value of a setting. May be repeated.",
    shell_complete=live_names.settings,
)
@placement_options
@yes_option
@dry_run_option
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
def command(**words: Unpack[InstallWords]) -> None:
    """Verify a package, show what it can do, ask, run it on a hook."""
    from skep.chains.ordering import parse_placement
    from skep.cli.assignments import parse_assignments
    from skep.cli.changing import done_text, emit_change
    from skep.cli.consenting import install_with_consent, show_preview
    from skep.cli.nodes import require_root, this_node
    from skep.cli.obtaining import Wanted, obtain_package
    from skep.hooks.table import parse_hook_target
    from skep.node.deploying.applying import Changed
    from skep.node.deploying.documents import install_document
    from skep.node.deploying.installing import InstallRequest, check_package
    from skep.packages.references import parse_reference

    run = invocation(json=words["json"], quiet=words["quiet"], verbose=words["verbose"])
    typed = InstallRequest(
        reference=parse_reference(words["reference"]),
        on=parse_hook_target(words["on"]),
        name=words["name"],
        program=words["program"],
        placement=parse_placement(
            before=words["before"], after=words["after"], order=words["order"]
        ),
        settings=parse_assignments(words["settings"]),
        policy="insecure-accept-all" if words["insecure"] else "require-key",
    )
    wanted = Wanted(
        typed.reference, words["marketplace"], words["offline"], is_dry_run=words["dry_run"]
    )
    require_root(run.environment)
    # What can be refused here is refused before anybody is asked for anything.
    with this_node(run.environment) as node:
        node.check(typed)
    found = obtain_package(wanted, run, lambda metadata: check_package(metadata, typed))
    request = replace(typed, reference=found.qualified, digest=found.descriptor.digest)
    with this_node(run.environment, found.store) as node:
        preview = node.preview(request)
        changed = Changed(preview.plan)
        if changed.is_unchanged:
            pass
        elif words["dry_run"]:
            show_preview(preview, run)
        else:
            changed = install_with_consent(
                node,
                preview,
                run,
                lambda answer: node.install(replace(request, answer=answer)),
                yes=words["yes"],
            )
    runs = done_text(changed, "runs", "would run")
    text = f"{changed.deployment.name} {runs} on {changed.deployment.on}"
    emit_change(
        run.output,
        changed,
        install_document(changed, preview.occupants),
        f"{text}; chain: {' → '.join(changed.chain)}",
        done=text,
    )
