"""Taking deployments away for ``skep remove``, and telling of it."""

import click

from skep.cli.changing import step_lines, tell_undo
from skep.cli.context import Invocation
from skep.cli.interrupts import change_first
from skep.cli.output import Output
from skep.cli.questions import ask, is_terminal
from skep.errors import NeedsConsent, codes
from skep.hooks.target import HookTarget
from skep.node.deploying.documents import remove_document
from skep.node.deploying.removing import OthersWouldStop, Removed, removed
from skep.node.node import Node


def removed_by(
    node: Node, what: str | HookTarget, run: Invocation, *, yes: bool, dry_run: bool
) -> Removed:
    """Take away a deployment, or everything on a hook target; or say what that would do.

    Raises:
        OthersWouldStop: nobody agreed that others stop, and nobody can be asked.
        NeedsConsent: somebody said no.
    """
    if isinstance(what, HookTarget):
        if dry_run:
            return removed(node.foresee_removal_on(what), is_dry_run=True)
        with change_first():
            return node.remove_all(what)
    if dry_run:
        return removed(node.foresee_removal(what), is_dry_run=True)
    try:
        with change_first():
            return node.remove(what, others_may_stop=yes)
    except OthersWouldStop as error:
        if not is_terminal():
            raise error.hinting(run.repeated("--yes")) from error
        if not ask(f"{error.message}. Remove {what} all the same?", run.output):
            raise NeedsConsent("consent was refused; nothing was changed") from error
    with change_first():
        return node.remove(what, others_may_stop=True)


def tell_removed(gone: Removed, output: Output) -> None:
    """Say what was taken away, who stopped, and what installs it again."""
    where = ", ".join(str(each) for each in gone.on)
    links = [link.pin for link in gone.links]
    verb = "would remove" if gone.is_dry_run else "removed"
    lines = [
        f"{verb} {what}" + (f" from {where}" if where else "")
        for what in (*gone.names, *(f"the link {link}" for link in links))
    ]
    steps = step_lines(gone.steps) if gone.is_dry_run else []
    for stopped in gone.stopped:
        output.warn(
            f"{stopped} would not run any more"
            if gone.is_dry_run
            else f"{stopped} does not run any more; install it again"
        )
    done = "" if gone.is_dry_run else ", ".join(lines)
    output.emit(remove_document(gone), lambda: [*lines, *steps], done=done)
    if not gone.is_dry_run:
        tell_undo(output, gone.undo)
    if gone.unrecorded is not None:
        output.warn(
            f"{gone.unrecorded.message}; so only the program was detached, and skep list says "
            f"'not running'. Run it again later to remove the records"
        )
        raise click.exceptions.Exit(codes(gone.unrecorded).exit_code)
