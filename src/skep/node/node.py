"""A node: the front door to everything that can be done on one host.

Every change holds the node's lock, restores what is damaged and first repairs what an interrupted
one left. Looking changes nothing, mounts nothing and makes no file; it shares the lock for a
moment, so that it sees one consistent state.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from skep.chains.ordering import parse_placement
from skep.errors import NotFound, SkepError, UsageError
from skep.hooks.table import HookTarget
from skep.node.converging.consenting import NOT_ASKED, Answer, Need, YesTo, record
from skep.node.converging.doctoring import (
    Playgrounds,
    clear_playgrounds,
    examine,
    repair,
)
from skep.node.converging.findings import Finding
from skep.node.converging.kept_programs import restore_before_change
from skep.node.converging.reconciling import Reconciled
from skep.node.converging.recovering import recover
from skep.node.converging.services import Services, Writer
from skep.node.deploying.applying import Changed, foresee
from skep.node.deploying.detaching import detach_all
from skep.node.deploying.installing import InstallRequest, check_request, install
from skep.node.deploying.moving import desired_move, move
from skep.node.deploying.previewing import Preview, TrustedSince, preview
from skep.node.deploying.removing import (
    Removal,
    Removed,
    foresee_removal,
    foresee_removal_on,
    remove,
    remove_all,
)
from skep.node.deploying.setting import Changes, change_settings, desired_settings
from skep.node.locking import Lock, NodeBusy, locked, locked_as_it_is
from skep.node.looking.listing import (
    ChainView,
    Listed,
    list_chains,
    list_installed,
    list_undeclared_chains,
    view_chain,
)
from skep.node.observing.metrics import Meter, Metric
from skep.node.ports import Kernel
from skep.node.records import ConsentRecord, DamagedRow, JournalEntry

Looking = Callable[[], AbstractContextManager[tuple[Services, Meter]]]
"""Opens what a look needs, for a moment."""
Detaching = Callable[[], AbstractContextManager[Kernel | None]]
"""Opens the kernel as it is, to take away and no more; ``None`` if nothing is pinned."""
Changing = Callable[[Lock], AbstractContextManager[Writer]]
"""Opens what a change needs, for whoever holds the lock."""


@dataclass(frozen=True, slots=True)
class Look:
    """One moment of a node, for several questions."""

    _services: Services
    _meter: Meter

    @property
    def doubt(self) -> SkepError | None:
        """Why what is seen may be half of a change; ``None`` if nothing changes meanwhile."""
        return self._services.doubt

    def here(self) -> str:
        """Network namespace of this command; empty on the host."""
        return self._services.kernel.here()

    def chains(self) -> tuple[ChainView, ...]:
        """All declared chains, then those that run and nothing declares."""
        state, kernel = self._services.state, self._services.kernel
        return (*list_chains(state, kernel), *list_undeclared_chains(state, kernel))

    def chain(self, on: HookTarget) -> ChainView:
        """The chain on a hook target."""
        return view_chain(self._services.state, self._services.kernel, on)

    def metrics(self, name: str) -> tuple[Metric, ...]:
        """What a deployment's program counts; see :meth:`Meter.metrics`."""
        return self._meter.metrics(name)


class Node:
    """One host. Made by :func:`skep.node.wiring.open_node`.

    Args:
        looking: opens ports to look through.
        changing: opens ports to change with.
        detaching: opens the kernel without the database.
        trust: whose signatures count.
        playgrounds: what demonstrations left, for the doctor.
        lock: gives the file to lock, and makes its directory; called when a change begins.
        lock_seconds: how long to wait for another command.
    """

    def __init__(
        self,
        looking: Looking,
        changing: Changing,
        *,
        detaching: Detaching,
        trust: TrustedSince,
        playgrounds: Playgrounds,
        lock: Callable[[], Path],
        lock_seconds: float,
    ) -> None:
        self._looking = looking
        self._changing = changing
        self._detaching = detaching
        self._trust = trust
        self._playgrounds = playgrounds
        self._lock = lock
        self._lock_seconds = lock_seconds

    # Looking ---------------------------------------------------------------------------------

    @contextmanager
    def look(self) -> Iterator[Look]:
        """Look at one moment; no change begins before the end of the ``with``."""
        with self._looking() as (services, meter):
            yield Look(services, meter)

    def installed(self) -> tuple[Listed, ...]:
        """All deployments, ascending by hook target and order."""
        with self._looking() as (services, _):
            return list_installed(services.state, services.kernel)

    def damaged(self) -> tuple[DamagedRow, ...]:
        """Deployments whose records cannot be read."""
        with self._looking() as (services, _):
            return services.state.damaged()

    def chain(self, on: HookTarget) -> ChainView:
        """The chain on a hook target."""
        with self.look() as look:
            return look.chain(on)

    def metrics(self, name: str) -> tuple[Metric, ...]:
        """What a deployment's program counts; see :meth:`Meter.metrics`."""
        with self.look() as look:
            return look.metrics(name)

    def history(self, limit: int = 100) -> tuple[JournalEntry, ...]:
        """What was done, newest first."""
        with self._looking() as (services, _):
            return services.state.history(limit)

    def consents(self, limit: int = 100) -> tuple[ConsentRecord, ...]:
        """What was agreed to, refused or exceeded, newest first."""
        with self._looking() as (services, _):
            return services.state.consents(limit)

    def preview(self, request: InstallRequest) -> Preview:
        """What an install prompt shows; see :func:`skep.node.deploying.previewing.preview`."""
        with self._looking() as (services, _):
            return preview(services, self._trust, request)

    def examine(self) -> tuple[Finding, ...]:
        """What is not as it should be; see :mod:`skep.node.converging.doctoring`."""
        with self._looking() as (services, _):
            return examine(services, self._playgrounds)

    # Foreseeing: what a change would do; nothing is loaded, nothing changes -------------------

    def check(self, request: InstallRequest) -> None:
        """See :func:`skep.node.deploying.installing.check_request`."""
        with self._looking() as (services, _):
            check_request(services, request)

    def foresee_move(
        self,
        name: str,
        *,
        before: str | None = None,
        after: str | None = None,
        order: int | None = None,
    ) -> Changed:
        """What :meth:`move` would do."""
        placement = parse_placement(before=before, after=after, order=order)
        with self._looking() as (services, _):
            return Changed(foresee(services, desired_move(services, name, placement)))

    def foresee_set(self, name: str, changes: Changes) -> Changed:
        """What :meth:`set` would do."""
        with self._looking() as (services, _):
            return Changed(foresee(services, desired_settings(services, name, changes)))

    def foresee_removal(self, name: str) -> Removal:
        """What :meth:`remove` would do."""
        with self._looking() as (services, _):
            return foresee_removal(services, name)

    def foresee_removal_on(self, on: HookTarget) -> Removal:
        """What :meth:`remove_all` would do."""
        with self._looking() as (services, _):
            return foresee_removal_on(services, on)

    # Changing --------------------------------------------------------------------------------

    def recover(self) -> Reconciled:
        """Repair what an interrupted change left; every other change does so first, too.

        Raises:
            NodeBusy: another command is at work.
        """
        with self._writing() as writer:
            return recover(writer)

    def install(self, request: InstallRequest) -> Changed:
        """See :func:`skep.node.deploying.installing.install`."""
        with self._change() as writer:
            return install(writer, request)

    def remove(self, name: str, *, others_may_stop: bool = False) -> Removed:
        """See :func:`skep.node.deploying.removing.remove`."""
        with self._change() as writer:
            return remove(writer, name, others_may_stop=others_may_stop)

    def remove_all(self, on: HookTarget) -> Removed:
        """See :func:`skep.node.deploying.removing.remove_all`.

        If that fails, because the disk is full for example, what runs is detached all the same;
        see :mod:`skep.node.deploying.detaching`.
        """
        try:
            with self._change() as writer:
                return remove_all(writer, on)
        except (NotFound, UsageError, NodeBusy):
            raise
        except SkepError as error:
            with locked_as_it_is(self._lock, self._lock_seconds), self._detaching() as kernel:
                links = detach_all(kernel, on) if kernel is not None else ()
            if not links:
                raise
            return Removed((), (on,), links, unrecorded=error)

    def move(
        self,
        name: str,
        *,
        before: str | None = None,
        after: str | None = None,
        order: int | None = None,
        answer: Answer = NOT_ASKED,
    ) -> Changed:
        """See :func:`skep.node.deploying.moving.move`; without a place it goes last."""
        placement = parse_placement(before=before, after=after, order=order)
        with self._change() as writer:
            return move(writer, name, placement, answer)

    def set(self, name: str, changes: Changes, answer: Answer = NOT_ASKED) -> Changed:
        """See :func:`skep.node.deploying.setting.change_settings`."""
        with self._change() as writer:
            return change_settings(writer, name, changes, answer)

    def note_refusal(self, needs: Sequence[Need], person: str) -> None:
        """Record that consent was refused; nothing else changes."""
        with self._writing() as writer:
            record(writer, needs, "refused", YesTo(person, ()))

    def repair(self) -> tuple[Finding, ...]:
        """Examine, and mend what can be mended; see :mod:`skep.node.converging.doctoring`.

        The node is opened to be changed, which mounts its file system, only if it needs mending.
        """
        with locked(self._lock(), self._lock_seconds):
            cleared = clear_playgrounds(self._playgrounds)
        found = self.examine()
        needs_mending = any(one.remedy is not None and one.remedy.is_repair for one in found)
        if not needs_mending and not self.installed():
            return (*cleared, *found)
        with self._writing() as writer:
            return (*cleared, *repair(writer, self._playgrounds))

    @contextmanager
    def _change(self) -> Iterator[Writer]:
        with self._writing() as writer:
            restore_before_change(writer)
            recover(writer)
            yield writer

    @contextmanager
    def _writing(self) -> Iterator[Writer]:
        with locked(self._lock(), self._lock_seconds) as lock, self._changing(lock) as writer:
            yield writer
