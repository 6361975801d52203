"""Opening a node to read it.

Apart from :mod:`skep.node.wiring` because listing must not pay for what changing needs: nothing in
here imports signatures, packages or the network library.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from skep.errors import NotPermitted
from skep.kernel.lasting_pins import find_lasting_pins
from skep.kernel.pins import PinRoot
from skep.node.locking import shared
from skep.node.observing.pins import PinReader
from skep.node.observing.reader import NodeReader
from skep.node.observing.standing import standing_of
from skep.node.settings import NodeSettings
from skep.node.state_ports import StateReader
from skep.node.store.nothing import NothingCommitted
from skep.node.store.state import SqliteState

LOOKING_SECONDS = 3.0
"""How long a look waits for a change to be over; after that it sees what there is."""


class NodeNotReadable(NotPermitted):
    """The node's directory belongs to another user."""


@contextmanager
def open_node_for_reading(settings: NodeSettings) -> Iterator[NodeReader]:
    """Open a node without changing anything, also one that was never used.

    Nothing is repaired: if :meth:`NodeReader.interrupted` says something, the next change or
    ``skep doctor --repair`` does it.

    Raises:
        NodeNotReadable: this user may not look.
        DatabaseDamaged, DatabaseTooNew: the database cannot be read.
    """
    with ExitStack() as opened:
        doubt = opened.enter_context(shared(settings.lock, LOOKING_SECONDS))
        state = open_state(settings, opened)
        pins = PinReader(open_pins(settings, opened))
        yield NodeReader(state, pins, partial(standing_of, settings), doubt=doubt)


def open_state(settings: NodeSettings, opened: ExitStack) -> StateReader:
    """The database, or nothing if there is none; ``opened`` closes it.

    Raises:
        NodeNotReadable: this user may not look.
    """
    try:
        if not settings.database.exists():
            return NothingCommitted()
    except PermissionError as error:
        raise NodeNotReadable(
            f"expected to read {settings.root}, it belongs to another user",
            hint="run it as root, or set SKEP_ROOT to a directory of your own",
        ) from error
    return opened.enter_context(SqliteState(settings.database, reading=True))


def open_pins(settings: NodeSettings, opened: ExitStack) -> PinRoot | None:
    """The pin root if its file system is mounted where mounts last; ``opened`` closes it."""
    pins = find_lasting_pins(settings.bpffs, settings.root)
    return None if pins is None else opened.enter_context(pins)
