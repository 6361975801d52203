"""What ``skep doctor`` asks of the node, as the command shows it."""

from dataclasses import dataclass

from skep.cli.environment import Environment
from skep.cli.interrupts import deferred_interrupts
from skep.cli.nodes import node_settings, this_node
from skep.node.wiring import dismount


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding as a line.

    Attributes:
        is_repaired: it is no longer one.
        is_information: nothing is wrong.
    """

    text: str
    is_repaired: bool
    is_information: bool


def examine(environment: Environment, *, repair: bool) -> list[Shown]:
    """Look for what is not as it should be; with ``repair``, put it right."""
    with deferred_interrupts(), this_node(environment) as node:
        found = [
            Shown(
                ": ".join(
                    filter(
                        None,
                        (finding.text, finding.repaired or finding.problem or finding.remedy),
                    )
                ),
                bool(finding.repaired),
                finding.is_information,
            )
            for finding in node.doctor(repair=repair)
        ]
        is_in_use = bool(node.installed())
    if not is_in_use:
        dismount(node_settings(environment))  # nothing of ours is pinned: leave no mount behind
    return found
