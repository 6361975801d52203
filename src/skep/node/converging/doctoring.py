"""The doctor: what is not as it should be, and what can be done about it.

Looking changes nothing. Repairing does for each finding what is said in its remedy, in the order
in which they were found, then looks again: only what is gone is called repaired. No repair takes
a running program off a living interface on doubt; it takes away what an unfinished change left,
and for everything else that nothing declares it names the command.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from skep.chains.deployment import Deployment
from skep.errors import SkepError
from skep.hooks.table import HookTarget
from skep.node.converging.findings import Finding, Kind, Remedy
from skep.node.converging.foreseeing import (
    copy_findings,
    database_findings,
    lock_findings,
    package_findings,
    trust_findings,
)
from skep.node.converging.inspecting import in_the_way, missing_text
from skep.node.converging.kept_programs import keep_again, restore_records
from skep.node.converging.reconciling import (
    purge_retired,
    purgeable,
    reconcile_target,
    undeclared_links,
    undeclared_maps,
)
from skep.node.converging.recovering import recover
from skep.node.converging.renaming import record_bindings, record_name
from skep.node.converging.replaced_maps import (
    ReplacedMap,
    put_back,
    replaced_maps,
    replaced_text,
)
from skep.node.converging.services import Services, Writer
from skep.node.locking import NodeBusy
from skep.node.looking.listing import ChainView, list_chains, list_installed
from skep.node.looking.locating import Survey, is_of_one_boot, newly_located, survey
from skep.node.occupants import order_lines, others_before
from skep.schema_steps import DatabaseDamaged


class Playgrounds(Protocol):
    """What killed demonstrations left."""

    def left_behind(self) -> tuple[str, ...]:
        """Names of playgrounds whose process is dead."""
        ...

    def clear(self, name: str) -> tuple[str, ...]:
        """Remove everything of one; a line for each thing."""
        ...


def examine(services: Services, playgrounds: Playgrounds) -> tuple[Finding, ...]:
    """Look for everything the doctor knows; change nothing.

    While another command is in the middle of a change, nothing is found: half of a change is no
    damage.
    """
    if isinstance(services.doubt, NodeBusy):
        text = f"{services.doubt.message}; look again when it has finished"
        return (Finding("change in progress", "node", text),)
    found = (
        *lock_findings(services),
        *database_findings(services),
        *trust_findings(services),
        *_playgrounds(playgrounds),
    )
    try:
        return (*found, *_records(services))
    except DatabaseDamaged:
        if not any(one.kind == "database damaged" for one in found):
            raise
        return found


def _records(services: Services) -> tuple[Finding, ...]:
    """Differences from what is recorded."""
    installed = services.state.installed()
    deployments = [one.deployment for one in installed]
    looked = survey(services.kernel, installed)
    replaced = replaced_maps(services, looked)
    return (
        *_damaged(services),
        *_interrupted(services),
        *_maps(replaced),
        *_chains(services, looked, replaced),
        *_leftovers(services, deployments),
        *_unsigned(deployments),
        *package_findings(services),
        *copy_findings(services),
    )


def repair(writer: Writer, playgrounds: Playgrounds) -> tuple[Finding, ...]:
    """Examine, repair what the node can repair, and examine again.

    What demonstrations left is another matter: :func:`clear_playgrounds`.

    Returns:
        Every finding there was, with what was done about it if that helped, and the findings that
        came up meanwhile.
    """
    found = examine(writer.services, playgrounds)
    record_bindings(writer)
    tried = [_repair(writer, finding) for finding in found]
    left = {(each.kind, each.subject): each for each in examine(writer.services, playgrounds)}
    outcome = []
    for finding in tried:
        still = left.pop((finding.kind, finding.subject), None)
        if still is None and finding.is_open:
            finding = replace(finding, repaired="nothing left to repair", problem="")
        elif still is not None and finding.repaired:
            finding = replace(finding, repaired="", problem="repairing had no effect")
        outcome.append(finding)
    return (*outcome, *left.values())


def clear_playgrounds(playgrounds: Playgrounds) -> tuple[Finding, ...]:
    """Clear away what killed demonstrations left; needs nothing of the node itself."""
    outcome = []
    for finding in _playgrounds(playgrounds):
        try:
            done = playgrounds.clear(finding.subject)
        except (SkepError, OSError) as error:
            outcome.append(replace(finding, problem=str(error)))
        else:
            outcome.append(replace(finding, repaired="; ".join(done) or "nothing left to repair"))
    return tuple(outcome)


def _playgrounds(playgrounds: Playgrounds) -> list[Finding]:
    return [
        Finding(
            "playground left behind",
            name,
            f"the demo {name} was killed and left things behind",
            Remedy("end its processes, unmount and remove what it made"),
        )
        for name in playgrounds.left_behind()
    ]


def _damaged(services: Services) -> list[Finding]:
    return [
        Finding(
            "record damaged",
            row.name,
            f"the record of {row.name} cannot be read: {row.reason}",
            Remedy("restore it from its kept copy")
            if row.kept
            else Remedy("take it away", f"skep remove {row.name}"),
        )
        for row in services.state.damaged()
    ]


def _interrupted(services: Services) -> list[Finding]:
    return [
        Finding(
            "change interrupted",
            str(entry.number),
            f"'{entry.command}' of {entry.started_at} was interrupted",
            Remedy("make everything as it was committed"),
        )
        for entry in services.state.unfinished()
    ]


def _maps(replaced: Sequence[ReplacedMap]) -> list[Finding]:
    found = []
    for one in replaced:
        kind: Kind = "map missing" if one.is_missing else "map replaced"
        if one.in_use is not None:
            remedy = Remedy("pin the map in use again, with everything in it")
        elif one.is_missing:
            continue  # told with its chain, which is attached again with a new map
        else:
            remedy = Remedy("then install it again", f"skep remove {one.deployment}")
        found.append(Finding(kind, str(one), replaced_text(one), remedy))
    return found


def _chains(services: Services, looked: Survey, replaced: Sequence[ReplacedMap]) -> list[Finding]:
    found_again = {(one.deployment, one.pin) for one in replaced if one.in_use is not None}
    missing: dict[HookTarget, list[str]] = {}
    for listed in list_installed(services.state, services.kernel):
        for pin in listed.maps_missing:
            if (listed.deployment.name, pin) not in found_again:
                missing.setdefault(listed.deployment.on, []).append(pin)
    found: list[Finding] = []
    for view in list_chains(services.state, services.kernel):
        found += _renamed(view)
        found += _others(view)
        if view.condition == "running" and view.on not in missing:
            continue
        found.append(_chain(services, looked, view, missing.get(view.on, ())))
    return found


def _renamed(view: ChainView) -> list[Finding]:
    if view.spot is None:
        return []
    called, usurper = view.spot.called, view.spot.usurper
    if called is None and usurper is not None and view.running:
        text = (
            f"{_members(view)} on what {view.on} was, which is not visible from here; another "
            f"one has the name, with no Skep programs attached"
        )
        return [Finding("target name taken", str(view.on), text, _goodbye(view))]
    if called is None:
        return []
    if is_of_one_boot(called) and not is_of_one_boot(view.on):
        text = (
            f"{view.on} is {called} now, in a network namespace without a name; {_members(view)} "
            f"still on it, until the machine restarts"
        )
        return [Finding("target moved", str(view.on), text)]
    return [
        Finding(
            "target renamed",
            str(view.on),
            f"{view.on} is called {called} now; {_members(view)} still on it",
            Remedy("record the new name; traffic is not touched"),
        )
    ]


def _others(view: ChainView) -> list[Finding]:
    before = others_before(view.occupants or ())
    if view.condition != "running" or not before:
        return []
    text = f"{view.on} {order_lines(before)[0]}"
    return [Finding("others run first", str(view.on), text)]


def _chain(services: Services, looked: Survey, view: ChainView, missing: Sequence[str]) -> Finding:
    on, names = view.on, _members(view)
    spot = view.spot
    match view.condition:
        case "waiting":
            text = f"{missing_text(on)}; {names} waiting for it"
            return Finding("target missing", str(on), text, _goodbye(view))
        case "detached":
            back = newly_located(services.kernel, looked, on)
            stranger = in_the_way(services.kernel, back, looked)
            if stranger is not None:
                text = f"{on} was replaced and is taken by {stranger}; {names} not on it"
                return Finding("hook taken", str(on), text)
            text = f"{on} was replaced, or its link was detached; {names} not on it"
            return Finding("target deleted", str(on), text, Remedy("attach to what is there now"))
        case "not visible":
            text = f"{on} is not visible from here; whether {names} running there is not known"
            return Finding("target not visible", str(on), text)
        case "not known":
            text = f"whether {names} running on {on} is not known: {view.reason}"
            return Finding("chain not known", str(on), text)
        case "shared":
            text = f"{on} is the same as another target with a chain; {names} not running"
            remedy = Remedy("take it away", f"skep remove {view.members[0].deployment.name}")
            return Finding("target shared", str(on), text, remedy)
    stranger = in_the_way(services.kernel, spot, looked) if spot is not None else None
    if stranger and not view.running:
        return Finding("hook taken", str(on), f"{on} is taken by {stranger}")
    return Finding(
        "chain not as declared",
        str(on),
        f"{on} should run {', '.join(one.deployment.name for one in view.members)}; "
        f"{_instead(view.running, missing)}",
        Remedy("verify, compose and attach it again"),
    )


def _goodbye(view: ChainView) -> Remedy:
    name = view.members[0].deployment.name
    return Remedy("if it is not to come back", f"skep remove {name}")


def _members(view: ChainView) -> str:
    names = [one.deployment.name for one in view.members]
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _instead(running: str, missing: Sequence[str]) -> str:
    if missing:
        return f"maps are missing: {', '.join(missing)}"
    return f"chain {running} runs instead" if running else "nothing runs"


def _leftovers(services: Services, deployments: Sequence[Deployment]) -> list[Finding]:
    found: list[Finding] = []
    for link in undeclared_links(services):
        program = link.program_name or "a program"
        if not link.is_attached:
            text = f"the link {link.pin} is no longer attached to anything"
            finding = Finding("link attached to nothing", link.pin, text, Remedy("remove its pin"))
        elif link.place is None:
            text = f"the link {link.pin} runs {program} on something not visible from here"
            finding = Finding("link without deployment", link.pin, text)
        elif services.state.damaged():
            text = f"{link.place.called} runs {program}, which no readable record declares"
            remedy = Remedy("repair the damaged records first", "skep doctor --repair")
            finding = Finding("link without deployment", link.pin, text, remedy)
        else:
            called = link.place.called
            text = f"{called} runs {program}, which no deployment declares"
            command = f"skep remove --on {called}"
            finding = Finding("link without deployment", link.pin, text, Remedy("detach", command))
        found.append(finding)
    found += [
        Finding(
            "maps without deployment",
            name,
            f"maps of {name} are still pinned, but no deployment {name} exists: {', '.join(pins)}",
            Remedy("remove their pins", f"skep remove {name}"),
        )
        for name, pins in undeclared_maps(services).items()
    ]
    found += [
        Finding(
            "retired maps",
            f"{name}/{pin}",
            f"the retired map {pin} of {name} was not removed",
            Remedy("remove its pin"),
        )
        for name, pin in purgeable(services, deployments)
    ]
    return found


def _unsigned(deployments: Sequence[Deployment]) -> list[Finding]:
    return [
        Finding(
            "unsigned accepted",
            deployment.name,
            f"{deployment.name} ({deployment.reference}) runs without a checked signature, "
            "as its owner allowed",
        )
        for deployment in deployments
        if deployment.accepts_unsigned
    ]


def _repair(writer: Writer, finding: Finding) -> Finding:
    if finding.remedy is None or not finding.remedy.is_repair:
        return finding
    try:
        done = _remedy(writer, finding)
    except (SkepError, OSError) as error:
        return replace(finding, problem=str(error))
    return replace(finding, repaired="; ".join(done) or "nothing left to repair")


def _remedy(writer: Writer, finding: Finding) -> Sequence[str]:
    match finding.kind:
        case "record damaged":
            return [f"restored {row.name}" for row in restore_records(writer)]
        case "change interrupted":
            result = recover(writer)
            for _, error in result.problems:
                raise error
            return result.done
        case "target renamed":
            return record_name(writer, _target(writer, finding.subject))
        case "map missing" | "map replaced":
            return put_back(writer, finding.subject)
        case "target deleted" | "chain not as declared":
            return reconcile_target(writer, _target(writer, finding.subject), anew=True)
        case "link attached to nothing":
            stray = [one for one in undeclared_links(writer.services) if not one.is_attached]
            for link in stray:
                writer.kernel.detach(link)
            return [f"removed the pin {link.pin}" for link in stray]
        case "copy lost":
            return keep_again(writer, finding.subject)
        case "retired maps":
            deployments = [one.deployment for one in writer.state.installed()]
            return purge_retired(writer, deployments)
        case _:
            return ()


def _target(writer: Writer, text: str) -> HookTarget:
    """The declared target a finding is about; an earlier repair may have renamed it."""
    for one in writer.state.installed():
        if str(one.deployment.on) == text:
            return one.deployment.on
    raise SkepError(f"{text} is not declared any more")
