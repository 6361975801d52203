"""``skep publish``: push a signed package to a marketplace and have it published."""

import shlex
from pathlib import Path

import click

from skep.cli.context import Invocation, invocation
from skep.cli.options import (
    PATH,
    Command,
    argument,
    json_option,
    marketplace_option,
    quiet_option,
    verbose_option,
    wide_option,
)


@click.command(
    "publish",
    cls=Command,
    examples=("skep publish .", "skep publish dist/ratelimiting-1.2.0.oci --marketplace public"),
)
@argument("layout", type=PATH, help="Package folder (….oci) or its project folder.")
@marketplace_option
@click.option("--dry-run", is_flag=True, help="Show what would be pushed; push nothing.")
@json_option
@quiet_option
@verbose_option
@wide_option
def command(
    *,
    layout: Path,
    marketplace: str | None,
    dry_run: bool,
    json: bool,
    quiet: bool,
    verbose: bool,
    wide: bool,
) -> None:
    """Publish a signed package.

    A published version stays: it cannot be taken back.
    """
    run = invocation(json=json, quiet=quiet, verbose=verbose, wide=wide)
    if dry_run:
        _show_plan(run, layout, marketplace)
    else:
        _publish(run, layout, marketplace)


def _show_plan(run: Invocation, layout: Path, marketplace: str | None) -> None:
    from click.exceptions import Exit

    from skep.cli.asking import meant_marketplace
    from skep.cli.publication_rows import plan_document, plan_lines
    from skep.cli.publishing import plan_publication
    from skep.clock import system_clock
    from skep.errors import codes

    place = meant_marketplace(run.environment, marketplace)
    plan = plan_publication(layout, place, system_clock())
    run.output.emit(plan_document(plan), lambda: plan_lines(plan, run.output.surface()))
    if plan.obstacle is not None:
        if plan.obstacle.hint and not run.output.json:
            run.output.note(f"hint: {plan.obstacle.hint}")
        raise Exit(codes(plan.obstacle).exit_code)


def _publish(run: Invocation, layout: Path, marketplace: str | None) -> None:
    from skep.cli.asking import meant_marketplace
    from skep.cli.progress import working
    from skep.cli.publication_rows import warning_texts
    from skep.cli.publishing import publish_layout
    from skep.clock import system_clock
    from skep.marketplace.vetting.verdicts import read_verdict
    from skep.packages.client.errors import MarketplaceRefused

    place = meant_marketplace(run.environment, marketplace)
    try:
        with working(f"publishing {layout} at {place.short}", run.output) as progress:
            published = publish_layout(layout, place, system_clock(), progress)
    except MarketplaceRefused as error:
        more = f"skep publish --dry-run {_quoted(layout)} shows the whole review"
        hint = f"{error.hint.rstrip('.')}; {more}" if error.hint else more
        raise MarketplaceRefused(error.message, hint=hint, detail=error.detail) from error
    receipt = published.receipt
    verdict = read_verdict(receipt.verdict)
    for text in warning_texts(verdict, run.output.surface(run.output.err)):
        run.output.warn(text)
    if verdict.warnings:
        run.output.note(f"the whole review: skep publish --dry-run --verbose {_quoted(layout)}")
    done = "published" if published.changed else "unchanged:"
    run.output.emit(
        {**receipt.to_document(), "changed": published.changed},
        lambda: [
            f"{done} {receipt.package}:{receipt.version}  {run.output.digest(receipt.digest)}",
            f"at {place}",
        ],
    )


def _quoted(layout: Path) -> str:
    return shlex.quote(str(layout))
