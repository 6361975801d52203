"""Opening this machine's node from a command."""

from contextlib import AbstractContextManager

from skep.cli.calling import called_in
from skep.cli.context import as_root, current_output
from skep.cli.environment import Environment
from skep.cli.progress import working
from skep.cli.told_warnings import tell_warnings
from skep.clock import system_clock
from skep.errors import NotPermitted
from skep.node.node import Node
from skep.node.playground import Host
from skep.node.settings import NodeSettings
from skep.node.wiring import open_node
from skep.packages.local.content_store import ContentStore


def node_settings(environment: Environment) -> NodeSettings:
    """Where this machine's node keeps its things."""
    return NodeSettings(
        root=environment.root,
        bpffs=environment.bpffs,
        called=called_in(environment),
        indexing=lambda: working("indexing the types of this kernel, once", current_output()),
    )


def require_root(environment: Environment) -> None:
    """Say what is missing before anything is tried.

    Raises:
        NotPermitted: the user is not root.
    """
    if not environment.is_root:
        raise NotPermitted("attaching programs needs root", hint=as_root())


def this_node(
    environment: Environment, content: ContentStore | None = None
) -> AbstractContextManager[Node]:
    """Open the node; nothing is made or changed before the first change.

    Args:
        content: packages, if not the node's own.

    Raises:
        NotPermitted: the user is not root.
    """
    require_root(environment)
    tell_warnings(current_output())
    return open_node(node_settings(environment), system_clock, host, content)


def host() -> Host:
    """What clears up after killed demonstrations; imports the netlink library."""
    from skep.node.wiring.host import HostAdapter

    return HostAdapter()
