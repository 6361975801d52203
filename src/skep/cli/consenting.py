"""What an app store shows before anything is loaded, and the question.

The question is asked on a terminal, whatever ``--json`` and ``--quiet`` say; its text goes to
standard error. Where nobody can answer, a change that needs consent fails, unless ``--yes`` was
given. No answer, end of input and Ctrl-C mean no. A critical permission is agreed to by typing the
package's name: a ``y`` is typed out of habit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from skep.bytecode.analysis.growth import Granted, Growth
from skep.bytecode.analysis.label import LabelPermission
from skep.bytecode.analysis.label_bounds import LabelChange
from skep.bytecode.analysis.texts import ability, scope_text
from skep.cli.context import Invocation
from skep.cli.interrupts import change_first
from skep.cli.label import (
    cost_parts,
    is_critical,
    licence_values,
    marked_permission,
    needs_parts,
    permission_lines,
)
from skep.cli.output import counted
from skep.cli.person import person
from skep.cli.questions import ask, ask_name, is_terminal
from skep.cli.rows import Marked, field_lines, joined_lines, marked_lines, right_width
from skep.cli.surfaces import Surface, wrapped
from skep.errors import NeedsConsent, UsageError
from skep.node.converging.consenting import NOT_ASKED, Answer, ConsentNeeded, Need, YesTo, YesToAll
from skep.node.deploying.previewing import Preview
from skep.node.node import Node
from skep.node.occupants import order_lines
from skep.packages.references import parse_reference

_Done = TypeVar("_Done")


class ConsentRefused(NeedsConsent):
    """Somebody was asked and said no."""


def preview_lines(preview: Preview, surface: Surface) -> Iterator[str]:
    """What is shown before anything is loaded."""
    metadata = preview.package.content.metadata
    heading = surface.style(f"{metadata.name} {metadata.version}", "bold")
    program = f", program {preview.program}" if len(metadata.programs) > 1 else ""
    yield f"{heading} on {preview.on}{program}"
    yield from permission_lines(preview.label, surface, place=preview.on.target)
    yield from field_lines("Off here", absent_values(preview.label_changes), surface)
    if not preview.report_matches:
        warning = "! the report in the package differs from this label"
        yield from field_lines("Report", [surface.style(warning, "red")], surface)
    yield from joined_lines("Costs", cost_parts(preview.label), surface)
    yield from joined_lines("Needs", _needs_here(preview, surface), surface)
    licence = licence_values(preview.label, metadata.licence, preview.reports)
    yield from field_lines("Licence", licence, surface)
    yield from field_lines("Signed", _signed_values(preview, surface), surface)
    yield from joined_lines("Settings", _setting_parts(preview), surface)
    yield from field_lines("Maps", own_map_values(preview.own_maps), surface)
    places = [
        f"{number} {place.name}{' (new)' if place.is_new else ''}"
        for number, place in enumerate(preview.chain, 1)
    ]
    yield from field_lines("Chain", [f"{preview.on.target}: {'   '.join(places)}"], surface)
    yield from field_lines("Order", order_lines(preview.occupants), surface)
    yield from need_lines([need for need in preview.needs if need.kind != "new"], surface)


def _needs_here(preview: Preview, surface: Surface) -> list[str]:
    # The hook may be younger than everything in the object.
    label = replace(preview.label, oldest_kernel=str(preview.oldest_kernel), kernel_reasons=())
    here = preview.kernel.version
    fits = (
        f"this node: {here} {surface.style('✓', 'green')}"
        if preview.kernel_suffices
        else f"this node: {here}, {surface.style('too old', 'red')}"
    )
    return [*needs_parts(label), fits]


def _signed_values(preview: Preview, surface: Surface) -> list[str]:
    if preview.accepts_unsigned:
        return [surface.style("! UNSIGNED: signature NOT verified", "red")]
    since = f" trusted since {preview.trusted_since:%Y-%m-%d}" if preview.trusted_since else ""
    publisher = preview.package.content.metadata.publisher
    return [
        f"by {publisher}  {surface.style('✓', 'green')}{since}",
        preview.package.evidence.fingerprint,
    ]


def _setting_parts(preview: Preview) -> list[str]:
    return [
        f"{setting.name} {setting.text or '(none)'}"
        + (" (default)" if setting.is_default and setting.text else "")
        for setting in preview.settings
    ]


def own_map_values(names: Sequence[str]) -> list[str]:
    """What is not shared here, though the object asks for it."""
    if not names:
        return []
    return [f"{', '.join(names)}: pinned by name elsewhere; here each deployment has its own"]


def absent_values(changes: Sequence[LabelChange]) -> list[str]:
    """What the package can do and this deployment cannot: settings or kernel switch it off."""
    gone = dict.fromkeys(ability(each.id, each.scope) for each in changes if not each.after)
    if not gone:
        return []
    return [f"{' · '.join(gone)} (the package can, with other settings or on other kernels)"]


def need_lines(needs: Sequence[Need], surface: Surface) -> Iterator[str]:
    """What goes beyond what was agreed to, by deployment."""
    for need in needs:
        yield from wrapped(need.text, surface.width)
        place = need.deployment.on.target
        can: list[Marked] = []
        might: list[Marked] = []
        for each in need.exceeding:
            note = _note(each) if need.kind == "exceeds" else ""
            row = marked_permission(_as_shown(each.permission), surface, place=place, note=note)
            (might if each.permission.confidence == "possible" else can).append(row)
        right = right_width([*can, *might])
        yield from marked_lines("Can", can, surface, right=right)
        yield from marked_lines("Might", might, surface, right=right)
        others = len(need.label.shown) - len(need.exceeding)
        if others > 0:
            yield from field_lines("", [f"{counted(others, 'other')} unchanged"], surface)


def _as_shown(permission: Granted) -> LabelPermission:
    return LabelPermission(
        id=permission.id,
        text="",
        severity=permission.severity,
        confidence=permission.confidence,
        scope=permission.scope,
    )


def _note(grown: Growth) -> str:
    if grown.why == "certain":
        return "now certain"
    if grown.why == "severe" and grown.before is not None:
        return f"was {grown.before.severity}"
    if grown.elsewhere:
        return f"new scope (was {' and '.join(map(scope_text, grown.elsewhere))})"
    return "new"


def critical_packages(needs: Sequence[Need]) -> tuple[str, ...]:
    """Packages for which something critical has to be agreed to; their names are typed for it."""
    return tuple(
        dict.fromkeys(
            _package(need)
            for need in needs
            if any(is_critical(each.permission.severity) for each in need.exceeding)
        )
    )


def _package(need: Need) -> str:
    try:
        return parse_reference(need.deployment.reference).package
    except UsageError:  # of an older version of Skep
        return need.deployment.name


def install_with_consent(
    node: Node, preview: Preview, run: Invocation, attempt: Callable[[Answer], _Done], *, yes: bool
) -> _Done:
    """Show what is to be installed, ask if it needs consent, and do it.

    Raises:
        ConsentNeeded: nobody can be asked, and nobody said yes.
        ConsentRefused: somebody said no.
    """
    is_asking = bool(preview.needs) and not yes and is_terminal()
    if is_asking:
        _show(preview_lines(preview, run.output.surface(run.output.err)), run)
    else:
        show_preview(preview, run)
    if yes:
        answer: Answer = YesToAll(_person(run))
    elif not preview.needs:  # it is declared already, and agreed to, and does not run
        answer = NOT_ASKED
    elif is_asking:
        answer = _ask("install", preview.needs, node, run)
    else:
        message = "installing needs consent, and this is not a terminal"
        raise ConsentNeeded(preview.needs, message, hint=run.repeated("--yes"))
    with change_first():
        return attempt(answer)


def show_preview(preview: Preview, run: Invocation) -> None:
    """Show what is to be installed where nobody is asked, unless only the outcome is wanted."""
    if not (run.output.json or run.output.quiet):
        _show(preview_lines(preview, run.output.surface(run.output.err)), run)


def show_needs(needs: Sequence[Need], run: Invocation) -> None:
    """Show what ``--yes`` agreed to, or would have to; unless only the outcome is wanted."""
    if not (run.output.json or run.output.quiet):
        _show(need_lines(needs, run.output.surface(run.output.err)), run)


def change_with_consent(
    node: Node, run: Invocation, attempt: Callable[[Answer], _Done], *, yes: bool
) -> _Done:
    """Do a change; if it needs consent, ask, and do it then.

    Raises:
        ConsentNeeded: nobody can be asked, and nobody said yes.
        ConsentRefused: somebody said no.
    """
    try:
        with change_first():
            return attempt(YesToAll(_person(run)) if yes else NOT_ASKED)
    except ConsentNeeded as error:
        if not is_terminal():
            message = f"{error.message}; cannot ask: this is not a terminal"
            raise ConsentNeeded(error.needs, message, hint=run.repeated("--yes")) from error
        needs = error.needs
    _show(need_lines(needs, run.output.surface(run.output.err)), run)
    answer = _ask("continue", needs, node, run)
    with change_first():
        return attempt(answer)


def _person(run: Invocation) -> str:
    return person(run.environment.variables, run.environment.user)


def _show(lines: Iterator[str], run: Invocation) -> None:
    run.output.say(*lines)


def _ask(verb: str, needs: Sequence[Need], node: Node, run: Invocation) -> YesTo:
    """Ask; what is not yes is no. Something critical is not agreed to with a ``y`` out of habit."""
    try:
        names = critical_packages(needs)
        is_agreed = (
            all(
                ask_name(f"critical permissions: type {name} to {verb}:", name, run.output)
                for name in names
            )
            if names
            else ask(f"{verb.capitalize()}?", run.output)
        )
    except KeyboardInterrupt:
        run.output.say("\nnothing was changed")
        node.note_refusal(needs, _person(run))
        raise
    if is_agreed:
        return YesTo(_person(run), tuple(needs))
    node.note_refusal(needs, _person(run))
    raise ConsentRefused("consent was refused; nothing was changed")
