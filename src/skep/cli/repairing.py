"""What ``skep doctor`` asks of the node, as the command shows it."""

from dataclasses import dataclass

from skep.cli.environment import Environment
from skep.cli.nodes import this_node


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding as a line, and whether it is no longer one."""

    text: str
    is_repaired: bool


def examine(environment: Environment, *, repair: bool) -> list[Shown]:
    """Look for what is not as it should be; with ``repair``, put it right."""
    with this_node(environment) as node:
        return [
            Shown(
                f"{finding.text}: {finding.repaired or finding.problem or finding.remedy}",
                bool(finding.repaired),
            )
            for finding in node.doctor(repair=repair)
        ]
