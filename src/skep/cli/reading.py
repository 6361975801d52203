"""Opening this machine's node to look at it; loads no more than looking needs."""

from contextlib import AbstractContextManager

from skep.cli.environment import Environment
from skep.node.observing.reader import NodeReader
from skep.node.observing.wiring import open_node_for_reading
from skep.node.settings import NodeSettings


def this_node_for_reading(environment: Environment) -> AbstractContextManager[NodeReader]:
    """Open the node for reading."""
    return open_node_for_reading(NodeSettings(environment.root, environment.bpffs))
