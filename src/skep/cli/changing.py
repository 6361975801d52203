"""How commands tell of a change: what was done or would be, its steps, and what reverses it."""

from collections.abc import Iterable, Mapping

from skep.cli.output import Output
from skep.node.deploying.applying import Changed


def done_text(changed: Changed, done: str, would: str) -> str:
    """The verb for what was done, or for what a dry run says would be."""
    return would if changed.is_dry_run and not changed.is_unchanged else done


def emit_change(
    output: Output, changed: Changed, document: Mapping[str, object], text: str, *, done: str
) -> None:
    """Tell of a change of one deployment.

    Args:
        document: for ``--json``.
        text: the change, in one line.
        done: the same without details, for an error that hides the rest.
    """
    if changed.is_unchanged:
        output.emit(document, lambda: [f"unchanged: {text}"])
        return
    if changed.is_dry_run:
        output.emit(document, lambda: [text, *step_lines(changed.plan.steps)])
        return
    remarks = [changed.remark] if changed.remark else []
    output.emit(document, lambda: [text, *remarks], done=done)
    tell_undo(output, changed.plan.undo)


def step_lines(steps: Iterable[str]) -> list[str]:
    """The steps of a plan, below what they are for."""
    return [f"  {step}" for step in steps]


def tell_undo(output: Output, commands: Iterable[str]) -> None:
    """Say what reverses a change; a document has it as a field."""
    if not output.json:
        for command in commands:
            output.note(f"undo: {command}")
