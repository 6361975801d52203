"""The doctor: what is not as it should be, and what can be done about it.

Looking changes nothing. Repairing does for each finding what is said in its ``remedy``, in the
order of :data:`Kind`, and says what it did. It never takes a deployment away that the owner
declared: an interface that is gone may come back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from skep.bytecode.analysis.growth import Growth, growth
from skep.chains.deployment import Deployment
from skep.errors import SkepError
from skep.hooks.table import HookTarget
from skep.node.converging.consenting import need_of
from skep.node.converging.reconciling import (
    purge_retired,
    purgeable,
    reconcile_target,
    remove_undeclared_links,
    remove_undeclared_maps,
    undeclared_links,
    undeclared_maps,
)
from skep.node.converging.recovering import recover
from skep.node.converging.services import Services
from skep.node.looking.listing import list_chains, list_installed

Kind = Literal[
    "playground left behind",
    "change interrupted",
    "interface gone",
    "hook taken",
    "chain not as declared",
    "link without deployment",
    "maps without deployment",
    "retired maps",
    "unsigned accepted",
    "consent not stored",
    "consent exceeded",
    "label changed",
]
_INFORMATION: tuple[Kind, ...] = ("consent not stored", "consent exceeded", "label changed")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        kind: which of those the doctor looks for.
        subject: what it is about: a deployment, a hook target, a pin.
        text: one line for people.
        remedy: what repairing does; empty if only a person can decide.
        repaired: what was done; empty if nothing was, or nothing could be.
        problem: why repairing failed.
    """

    kind: Kind
    subject: str
    text: str
    remedy: str = ""
    repaired: str = ""
    problem: str = ""

    @property
    def is_information(self) -> bool:
        """Worth knowing, and nothing is wrong: what runs runs on, the next change asks."""
        return self.kind in _INFORMATION


class Playgrounds(Protocol):
    """What killed demonstrations left."""

    def left_behind(self) -> tuple[str, ...]:
        """Names of playgrounds whose process is dead."""
        ...

    def clear(self, name: str) -> tuple[str, ...]:
        """Remove everything of one; a line for each thing."""
        ...


def examine(services: Services, playgrounds: Playgrounds) -> tuple[Finding, ...]:
    """Look for everything the doctor knows; change nothing."""
    deployments = [one.deployment for one in services.state.installed()]
    return (
        *(_playground(name) for name in playgrounds.left_behind()),
        *_interrupted(services),
        *_chains(services),
        *_leftovers(services, deployments),
        *_unsigned(deployments),
        *_consents(services),
    )


def repair(services: Services, playgrounds: Playgrounds) -> tuple[Finding, ...]:
    """Examine, and do what is to be done.

    Returns:
        Every finding there was, with what was done about it. Findings that vanished because of an
        earlier repair say so.
    """
    found = examine(services, playgrounds)
    return tuple(_repair(services, playgrounds, finding) for finding in found)


def _playground(name: str) -> Finding:
    return Finding(
        "playground left behind",
        name,
        f"the demonstration {name} was killed and left things behind",
        "end its processes, unmount and remove what it made",
    )


def _interrupted(services: Services) -> list[Finding]:
    return [
        Finding(
            "change interrupted",
            str(entry.number),
            f"'{entry.command}' of {entry.started_at} was interrupted",
            "make everything as it was committed",
        )
        for entry in services.state.unfinished()
    ]


def _chains(services: Services) -> list[Finding]:
    found = []
    missing = {
        listed.deployment.on: listed.maps_missing
        for listed in list_installed(services.state, services.kernel)
        if listed.maps_missing
    }
    for view in list_chains(services.state, services.kernel):
        on = view.on
        names = ", ".join(one.deployment.name for one in view.members)
        if view.condition == "no interface":
            found.append(
                Finding(
                    "interface gone",
                    str(on),
                    f"{names} should run on {on}, which does not exist (now)",
                )
            )
            continue
        if view.condition == "running" and on not in missing:
            continue
        stranger = services.kernel.foreign_program(
            on.hook, services.kernel.interface_index(on.target)
        )
        if stranger and not view.running:
            found.append(Finding("hook taken", str(on), f"{on} is taken by {stranger}"))
            continue
        found.append(
            Finding(
                "chain not as declared",
                str(on),
                f"{on} should run {names}; {_instead(view.running, missing.get(on, ()))}",
                "verify, compose and attach it again",
            )
        )
    return found


def _instead(running: str, missing: Sequence[str]) -> str:
    if missing:
        return f"maps are missing: {', '.join(missing)}"
    return f"chain {running} runs instead" if running else "nothing runs"


def _leftovers(services: Services, deployments: Sequence[Deployment]) -> list[Finding]:
    found: list[Finding] = [
        Finding(
            "link without deployment",
            f"{hook}-{ifindex}",
            f"the link {hook}-{ifindex} belongs to no declared deployment, or its interface is "
            "gone",
            "detach it and remove its pin",
        )
        for hook, ifindex in undeclared_links(services, deployments)
    ]
    found += [
        Finding(
            "maps without deployment",
            name,
            f"maps of {name} are pinned, which is not declared: {', '.join(pins)}",
            "remove their pins",
        )
        for name, pins in undeclared_maps(services, deployments).items()
    ]
    found += [
        Finding(
            "retired maps",
            f"{name}/{pin}",
            f"the retired map {pin} of {name} was not removed",
            "remove its pin",
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
            "because the owner said so",
        )
        for deployment in deployments
        if deployment.accepts_unsigned
    ]


def _consents(services: Services) -> list[Finding]:
    found = []
    for one in services.state.installed():
        name = one.deployment.name
        try:
            label = services.packages.label(one.deployment)
        except (SkepError, OSError):
            continue  # it cannot be opened; what follows from that is told elsewhere
        need = need_of(one.deployment, label, one)
        if need is not None:
            kind: Kind = "consent not stored" if need.kind == "unknown" else "consent exceeded"
            found.append(Finding(kind, name, f"{need.text}; the next change of its chain asks"))
        elif one.consent is not None:
            found += _changed(name, growth(one.consent.shown, label.shown))
    return found


def _changed(name: str, grown: Sequence[Growth]) -> list[Finding]:
    """What another kernel brought, within what the package was agreed to: nobody is asked."""
    if not grown:
        return []
    what = ", ".join(dict.fromkeys(each.permission.id for each in grown))
    text = f"on this kernel {name} may do more than it could when installed: {what}"
    return [Finding("label changed", name, f"{text}; its package showed that")]


def _repair(services: Services, playgrounds: Playgrounds, finding: Finding) -> Finding:
    if not finding.remedy:
        return finding
    try:
        done = _remedy(services, playgrounds, finding)
    except (SkepError, OSError) as error:
        return replace(finding, problem=str(error))
    return replace(finding, repaired="; ".join(done) or "nothing was left to do")


def _remedy(services: Services, playgrounds: Playgrounds, finding: Finding) -> Sequence[str]:
    deployments = [one.deployment for one in services.state.installed()]
    match finding.kind:
        case "playground left behind":
            return playgrounds.clear(finding.subject)
        case "change interrupted":
            result = recover(services)
            for _, error in result.problems:
                raise error
            return result.done
        case "chain not as declared":
            hook, _, target = finding.subject.partition(":")
            return reconcile_target(services, deployments, HookTarget(hook, target))
        case "link without deployment":
            return remove_undeclared_links(services, deployments)
        case "maps without deployment":
            return remove_undeclared_maps(services, deployments)
        case "retired maps":
            return purge_retired(services, deployments)
        case "interface gone" | "hook taken" | "unsigned accepted":
            return ()
        case "consent not stored" | "consent exceeded" | "label changed":
            return ()
