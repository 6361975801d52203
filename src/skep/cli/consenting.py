"""What an app store shows before anything is loaded, and the question.

The question is asked on a terminal, whatever ``--json`` and ``--quiet`` say; its text goes to
standard error. Where nobody can answer, a change that needs consent fails, unless ``--yes`` was
given. No answer, end of input and Ctrl-C mean no.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from skep.bytecode.analysis.label_bounds import LabelChange
from skep.cli.context import Invocation
from skep.cli.interrupts import deferred_interrupts
from skep.cli.label import cost_line, field_lines, licence_lines, may_lines
from skep.cli.person import person
from skep.cli.questions import ask, is_terminal
from skep.errors import NeedsConsent
from skep.node.converging.consenting import NOT_ASKED, Answer, ConsentNeeded, Need, YesTo, YesToAll
from skep.node.deploying.previewing import Preview
from skep.node.node import Node

_Done = TypeVar("_Done")


class ConsentRefused(NeedsConsent):
    """Somebody was asked and said no."""


def preview_lines(preview: Preview, run: Invocation) -> Iterator[str]:
    """What is shown before anything is loaded."""
    metadata = preview.package.content.metadata
    style = run.output.style
    rows = partial(field_lines, width=run.output.width)
    heading = style(f"{metadata.name} {metadata.version}", "bold")
    yield f"{heading}  {metadata.summary}   {preview.program} → {preview.on}"
    reports = preview.reports.values()
    if preview.accepts_unsigned:
        yield from rows("publisher", [style("signature NOT verified", "red")])
    else:
        since = (
            f" (trusted since {preview.trusted_since:%Y-%m-%d})" if preview.trusted_since else ""
        )
        key = preview.package.evidence.fingerprint
        signed = style("signed ✓", "green")
        yield from rows("publisher", [f"{metadata.publisher}{since}  {signed}", key])
    if not preview.report_matches:
        yield from rows(
            "attention", [style("the package's own report differs from what is shown", "red")]
        )
    yield from rows("licence", licence_lines(metadata.licence, preview.reports))
    yield from rows("may", may_lines(reports, run.output))
    yield from rows("not here", absent_lines(preview.label_changes))
    fits = style("✓", "green") if preview.kernel_suffices else style("too old", "red")
    yield from rows(
        "needs",
        [f"Linux {preview.oldest_kernel} or newer; this node: {preview.kernel.version} {fits}"],
    )
    yield from rows("costs", [cost_line(reports)])
    yield from rows(
        "settings",
        [
            f"{setting.name} = {setting.text or '(nothing)'}"
            + ("  default" if setting.is_default else "")
            for setting in preview.settings
        ],
    )
    yield from rows("maps", own_map_lines(preview.own_maps))
    places = [
        f"{number} {place.name}{' ← new' if place.is_new else ''}"
        for number, place in enumerate(preview.chain, 1)
    ]
    yield from rows("chain", [f"{preview.on}: {', '.join(places)}"])
    yield from need_lines([need for need in preview.needs if need.kind != "new"])


def own_map_lines(names: Sequence[str]) -> list[str]:
    """What is not shared here, though the object asks for it."""
    if not names:
        return []
    return [f"{', '.join(names)}: pinned by name elsewhere; here each deployment has its own"]


def absent_lines(changes: Sequence[LabelChange]) -> list[str]:
    """What the package can do and this deployment cannot: settings or kernel switch it off."""
    names = list(dict.fromkeys(each.id for each in changes if not each.after))
    if not names:
        return []
    return [f"{', '.join(names)}: in the package, switched off by these settings or this kernel"]


def need_lines(needs: Sequence[Need]) -> Iterator[str]:
    """What goes beyond what was agreed to, by deployment."""
    for need in needs:
        yield need.text
        for line in need.lines:
            yield f"  {line}"


def install_with_consent(
    node: Node, preview: Preview, run: Invocation, attempt: Callable[[Answer], _Done], *, yes: bool
) -> _Done:
    """Show what is to be installed, ask, and do it.

    Raises:
        ConsentNeeded: nobody can be asked, and nobody said yes.
        ConsentRefused: somebody said no.
    """
    is_asking = not yes and is_terminal()
    if is_asking or not (run.output.json or run.output.quiet):
        _show(preview_lines(preview, run), run)
    if yes:
        answer: Answer = YesToAll(_person(run))
    elif is_asking:
        answer = _ask("Install?", preview.needs, node, run)
    else:
        message = "installing needs consent, and this is not a terminal"
        raise ConsentNeeded(preview.needs, message, hint=run.repeated("--yes"))
    with deferred_interrupts():
        return attempt(answer)


def change_with_consent(
    node: Node, run: Invocation, attempt: Callable[[Answer], _Done], *, yes: bool
) -> _Done:
    """Do a change; if it needs consent, ask, and do it then.

    Raises:
        ConsentNeeded: nobody can be asked, and nobody said yes.
        ConsentRefused: somebody said no.
    """
    try:
        with deferred_interrupts():
            return attempt(YesToAll(_person(run)) if yes else NOT_ASKED)
    except ConsentNeeded as error:
        if not is_terminal():
            message = f"{error.message}; cannot ask: this is not a terminal"
            raise ConsentNeeded(error.needs, message, hint=run.repeated("--yes")) from error
        needs = error.needs
    _show(need_lines(needs), run)
    answer = _ask("Continue?", needs, node, run)
    with deferred_interrupts():
        return attempt(answer)


def _person(run: Invocation) -> str:
    return person(run.environment.variables, run.environment.user)


def _show(lines: Iterator[str], run: Invocation) -> None:
    for line in lines:
        print(line, file=run.output.err)


def _ask(question: str, needs: Sequence[Need], node: Node, run: Invocation) -> YesTo:
    """Ask; what is not yes is no."""
    try:
        is_agreed = ask(question, run.output)
    except KeyboardInterrupt:
        print("\nnothing was changed", file=run.output.err, flush=True)
        node.note_refusal(needs, _person(run))
        raise
    if is_agreed:
        return YesTo(_person(run), tuple(needs))
    node.note_refusal(needs, _person(run))
    raise ConsentRefused("consent was refused; nothing was changed")
