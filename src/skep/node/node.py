"""A node: the front door to everything that can be done on one host.

Every change holds the node's lock and first repairs what an interrupted one left. Looking repairs
nothing, so that the doctor can show what it found.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from skep.chains.deployment import Deployment
from skep.chains.ordering import parse_placement
from skep.hooks.table import HookTarget
from skep.node.converging.consenting import NOT_ASKED, Answer, Need, YesTo, record
from skep.node.converging.doctoring import Finding, Playgrounds, examine, repair
from skep.node.converging.reconciling import Reconciled
from skep.node.converging.recovering import recover
from skep.node.converging.services import Services
from skep.node.deploying.installing import InstallReport, InstallRequest, install
from skep.node.deploying.moving import move
from skep.node.deploying.previewing import Preview, TrustedSince, preview
from skep.node.deploying.removing import remove
from skep.node.deploying.setting import change_settings
from skep.node.locking import locked
from skep.node.looking.listing import ChainView, Listed, list_chains, list_installed, view_chain
from skep.node.observing.metrics import Meter, Metric
from skep.node.records import ConsentRecord, Installed, JournalEntry


class Node:
    """One host. Made by :func:`skep.node.wiring.open_node`.

    Args:
        services: ports of the use cases.
        trust: whose signatures count.
        meter: reads metrics.
        playgrounds: what demonstrations left, for the doctor.
        lock: file to lock.
        lock_seconds: how long to wait for another command.
    """

    def __init__(
        self,
        services: Services,
        *,
        trust: TrustedSince,
        meter: Meter,
        playgrounds: Playgrounds,
        lock: Path,
        lock_seconds: float,
    ) -> None:
        self._services = services
        self._trust = trust
        self._meter = meter
        self._playgrounds = playgrounds
        self._lock = lock
        self._lock_seconds = lock_seconds

    # Reading ---------------------------------------------------------------------------------

    def installed(self) -> tuple[Listed, ...]:
        """All deployments, ascending by hook target and order."""
        return list_installed(self._services.state, self._services.kernel)

    def chains(self) -> tuple[ChainView, ...]:
        """All declared chains."""
        return list_chains(self._services.state, self._services.kernel)

    def chain(self, on: HookTarget) -> ChainView:
        """The chain on a hook target."""
        return view_chain(self._services.state, self._services.kernel, on)

    def metrics(self, name: str) -> tuple[Metric, ...]:
        """What a deployment's program counts; see :meth:`Meter.metrics`."""
        return self._meter.metrics(name)

    def history(self, limit: int = 100) -> tuple[JournalEntry, ...]:
        """What was done, newest first."""
        return self._services.state.history(limit)

    def consents(self, limit: int = 100) -> tuple[ConsentRecord, ...]:
        """What was agreed to, refused or exceeded, newest first."""
        return self._services.state.consents(limit)

    def preview(self, request: InstallRequest) -> Preview:
        """What an install prompt shows; see :func:`skep.node.deploying.previewing.preview`."""
        return preview(self._services, self._trust, request)

    # Changing --------------------------------------------------------------------------------

    def recover(self) -> Reconciled:
        """Repair what an interrupted change left; every other change does so first, too.

        Raises:
            NodeBusy: another command is at work.
        """
        with locked(self._lock, self._lock_seconds):
            return recover(self._services)

    def install(self, request: InstallRequest) -> InstallReport:
        """See :func:`skep.node.deploying.installing.install`."""
        with self._change():
            return install(self._services, request)

    def remove(self, name: str) -> Deployment:
        """See :func:`skep.node.deploying.removing.remove`."""
        with self._change():
            return remove(self._services, name)

    def move(
        self,
        name: str,
        *,
        before: str | None = None,
        after: str | None = None,
        order: int | None = None,
        answer: Answer = NOT_ASKED,
    ) -> tuple[str, ...]:
        """See :func:`skep.node.deploying.moving.move`; without a place it goes last."""
        placement = parse_placement(before=before, after=after, order=order)
        with self._change():
            return move(self._services, name, placement, answer)

    def set(self, name: str, changes: Mapping[str, str], answer: Answer = NOT_ASKED) -> Installed:
        """See :func:`skep.node.deploying.setting.change_settings`."""
        with self._change():
            return change_settings(self._services, name, changes, answer)

    def note_refusal(self, needs: Sequence[Need], person: str) -> None:
        """Record that somebody was asked and said no; nothing else changes."""
        record(self._services, needs, "refused", YesTo(person, ()))

    def doctor(self, *, repair: bool = False) -> tuple[Finding, ...]:
        """See :mod:`skep.node.converging.doctoring`."""
        if not repair:
            return examine(self._services, self._playgrounds)
        with locked(self._lock, self._lock_seconds):
            return _repair(self._services, self._playgrounds)

    @contextmanager
    def _change(self) -> Iterator[None]:
        with locked(self._lock, self._lock_seconds):
            recover(self._services)
            yield


_repair = repair  # the method's argument has the function's name
