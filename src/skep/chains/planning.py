"""Plans: what to do so that what runs is what was declared, as data, each step with its undo.

:func:`plan` compares values and touches nothing. Its order keeps three promises: a program never
runs before its maps hold its settings, a chain is exchanged in one step, and no map that a running
chain uses loses its pin before the chain has been replaced.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.linking.plan import MapPlan, ProgramPlan
from skep.chains.deployment import Deployment
from skep.chains.fingerprints import (
    ChainMember,
    chain_fingerprint,
    chain_member,
    map_pin_name,
)
from skep.chains.ordering import in_order
from skep.errors import Conflict, NotFound, Unavailable
from skep.hooks.table import HookTarget

Entries = tuple[tuple[bytes, bytes], ...]
"""Key and value pairs of a map, ascending by key."""


class HookOccupied(Conflict):
    """A program that is not ours is on the hook target."""


class HookTargetMissing(NotFound):
    """What a deployment is to run on is not there."""


class HookTargetHidden(Unavailable):
    """What a deployment is to run on cannot be seen from here."""


@dataclass(frozen=True, slots=True)
class MapSetting:
    """What settings want in one map.

    Attributes:
        pin: pin name of the map.
        entries: what must be in it.
        whole: whether nothing else may be in it (a set); otherwise only these keys are ours.
    """

    pin: str
    entries: Entries
    whole: bool = False

    def joined(self, other: "MapSetting") -> "MapSetting":
        """What both want in their map; they are about different keys."""
        entries = tuple(sorted((*self.entries, *other.entries)))
        return MapSetting(self.pin, entries, self.whole or other.whole)


@dataclass(frozen=True, slots=True)
class LeftEntries:
    """What settings that lost their value left in one map.

    Attributes:
        restored: the entries that the object itself has, as it has them.
        gone: keys of the others, which must not be in the map any more.
    """

    restored: MapSetting
    gone: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkedDeployment:
    """A deployment and what its package, linked with its settings, brings along.

    Attributes:
        deployment: with the pin names of ``maps`` in :attr:`Deployment.maps`.
        program: its program, relocated; its map indexes count in ``maps``.
        maps: plans of its maps, in the order of its load plan.
        settings: what its settings write into writable maps, at most one for each map.
        types: of its object, for its maps and its program; ``None`` if the object has none.
        label: what its linked instructions may do: the node label; ``None`` if nobody asked.
    """

    deployment: Deployment
    program: ProgramPlan
    maps: tuple[MapPlan, ...] = ()
    settings: tuple[MapSetting, ...] = ()
    types: bytes | None = None
    label: AnalysisReport | None = None

    def wanting(self, more: Sequence[MapSetting]) -> "LinkedDeployment":
        """The same, which wants more in its maps."""
        wanted = {each.pin: each for each in self.settings}
        for each in more:
            there = wanted.get(each.pin)
            wanted[each.pin] = each if there is None else there.joined(each)
        return replace(self, settings=tuple(wanted[pin] for pin in sorted(wanted)))


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that runs or should: its fingerprint and, where known, its members.

    No fingerprint means that nothing of ours runs. A fingerprint without members was observed,
    but belongs to no chain that is declared.
    """

    fingerprint: str = ""
    members: tuple[ChainMember, ...] = ()

    @classmethod
    def of(cls, members: Sequence[ChainMember]) -> "Chain":
        """The chain of these members in this order."""
        return cls(chain_fingerprint(members), tuple(members))

    def __str__(self) -> str:
        if self.members:
            return ", ".join(member.deployment for member in self.members)
        return f"chain {self.fingerprint}" if self.fingerprint else "nothing"


@dataclass(frozen=True, slots=True)
class Observed:
    """What is there, read from the kernel and bpffs.

    Attributes:
        chains: our chains that run.
        foreign: hook targets where somebody else's program is, with its description.
        absent: hook targets that are not there, with what is known about it.
        hidden: hook targets that cannot be seen from here and have no program of ours.
        maps: pin names by deployment.
        retired: pin names of retired maps by deployment; none of them is also in ``maps``.
        entries: content of maps with settings by deployment and pin name, whole for settings that
            own the whole map, else only their keys.
    """

    chains: Mapping[HookTarget, Chain] = field(default_factory=dict)
    foreign: Mapping[HookTarget, str] = field(default_factory=dict)
    absent: Mapping[HookTarget, str] = field(default_factory=dict)
    hidden: frozenset[HookTarget] = frozenset()
    maps: Mapping[str, frozenset[str]] = field(default_factory=dict)
    retired: Mapping[str, frozenset[str]] = field(default_factory=dict)
    entries: Mapping[tuple[str, str], Mapping[bytes, bytes]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MapCreation:
    """A map to create and pin: its plan with the settings among its contents.

    Attributes:
        types: of its object, which its plan refers to; ``None`` if there are none.
    """

    pin: str
    plan: MapPlan
    types: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CreateMaps:
    """Create and pin maps of a deployment."""

    deployment: str
    maps: tuple[MapCreation, ...]

    def undo(self) -> "DeleteMaps":
        """Delete them: they are new, nothing else can be in them."""
        return DeleteMaps(self.deployment, self.maps)

    def summary(self) -> str:
        """One line for people."""
        return f"create maps of {self.deployment}: {', '.join(m.pin for m in self.maps)}"


@dataclass(frozen=True, slots=True)
class DeleteMaps:
    """Remove the pins of maps that were just created; only ever the undo of :class:`CreateMaps`."""

    deployment: str
    maps: tuple[MapCreation, ...]

    def undo(self) -> CreateMaps:
        """Create them again."""
        return CreateMaps(self.deployment, self.maps)

    def summary(self) -> str:
        """One line for people."""
        return f"delete new maps of {self.deployment}: {', '.join(m.pin for m in self.maps)}"


@dataclass(frozen=True, slots=True)
class RetireMaps:
    """Put maps aside; their content is kept until the change is committed."""

    deployment: str
    pins: tuple[str, ...]

    def undo(self) -> "RestoreMaps":
        """Put them back."""
        return RestoreMaps(self.deployment, self.pins)

    def summary(self) -> str:
        """One line for people."""
        return f"retire maps of {self.deployment}: {', '.join(self.pins)}"


@dataclass(frozen=True, slots=True)
class RestoreMaps:
    """Put retired maps back, with their content."""

    deployment: str
    pins: tuple[str, ...]

    def undo(self) -> RetireMaps:
        """Put them aside again."""
        return RetireMaps(self.deployment, self.pins)

    def summary(self) -> str:
        """One line for people."""
        return f"restore maps of {self.deployment}: {', '.join(self.pins)}"


@dataclass(frozen=True, slots=True)
class WriteSetting:
    """Change entries of a pinned map while the program runs.

    Entries are written one by one, additions first: the kernel has no transaction over keys.
    """

    deployment: str
    pin: str
    previous: Entries
    new: Entries

    def undo(self) -> "WriteSetting":
        """Write what was there."""
        return WriteSetting(self.deployment, self.pin, self.new, self.previous)

    def summary(self) -> str:
        """One line for people."""
        count = len(self.changed())
        noun = "entry" if count == 1 else "entries"
        return f"write settings of {self.deployment} into {self.pin}: {count} {noun}"

    def changed(self) -> dict[bytes, bytes]:
        """What to write."""
        before = dict(self.previous)
        return {key: value for key, value in self.new if before.get(key) != value}

    def gone(self) -> tuple[bytes, ...]:
        """Keys to delete."""
        after = {key for key, _ in self.new}
        return tuple(key for key, _ in self.previous if key not in after)


@dataclass(frozen=True, slots=True)
class RunChain:
    """Exchange what runs on a hook target in one step; an empty chain detaches."""

    on: HookTarget
    new: Chain
    previous: Chain

    def undo(self) -> "RunChain":
        """Exchange back."""
        return RunChain(self.on, self.previous, self.new)

    def summary(self) -> str:
        """One line for people."""
        if not self.new.fingerprint:
            stop = "remove" if self.previous.members else "detach"
            return f"{stop} {self.previous} from {self.on}"
        if not self.previous.fingerprint:
            return f"run {self.new} on {self.on}"
        return _exchange_text(self.on, self.new, self.previous)


def _exchange_text(on: HookTarget, new: Chain, previous: Chain) -> str:
    """What one chain in place of another means to somebody who thinks of deployments."""
    before = [member.deployment for member in previous.members]
    after = [member.deployment for member in new.members]
    gone = [name for name in before if name not in after]
    added = [name for name in after if name not in before]
    stay = [name for name in before if name in after]
    if not stay or stay != [name for name in after if name in before] or (gone and added):
        return f"run {new} on {on} instead of {previous}"
    if gone:
        verb = "stays" if len(stay) == 1 else "stay"
        return f"remove {', '.join(gone)} from {on}; {', '.join(stay)} {verb}"
    if added:
        return f"add {', '.join(added)} to {on}; the chain is then {' → '.join(after)}"
    changed = [each.deployment for each in new.members if each not in previous.members]
    return f"load {', '.join(changed or after)} on {on} anew"


Action = CreateMaps | DeleteMaps | RetireMaps | RestoreMaps | WriteSetting | RunChain


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in the order of their doing."""

    actions: tuple[Action, ...] = ()

    def undo(self) -> "Plan":
        """The plan that reverses this one."""
        return Plan(tuple(action.undo() for action in reversed(self.actions)))

    def summary(self) -> tuple[str, ...]:
        """A line for each action."""
        return tuple(action.summary() for action in self.actions)


def plan(desired: Sequence[LinkedDeployment], observed: Observed) -> Plan:
    """Actions that turn the observed state into the desired one; empty if they agree.

    Everything that is observed and not desired is taken away, so the caller shows only what it
    wants to decide about.

    Raises:
        HookOccupied: a chain is desired where somebody else's program is.
        HookTargetMissing: a chain is desired on something that is not there.
        HookTargetHidden: a chain is desired on something that cannot be seen from here.
    """
    _check_targets({linked.deployment.on for linked in desired}, observed)
    restore: list[Action] = []
    create: list[Action] = []
    write: list[Action] = []
    made_anew: set[str] = set()
    for linked in sorted(desired, key=lambda linked: linked.deployment.name):
        name = linked.deployment.name
        there = observed.maps.get(name, frozenset())
        wanted = {map_pin_name(map_plan): map_plan for map_plan in linked.maps}
        back = sorted((wanted.keys() - there) & observed.retired.get(name, frozenset()))
        if back:
            restore.append(RestoreMaps(name, tuple(back)))
        settings = {setting.pin: setting for setting in linked.settings}
        new = sorted(wanted.keys() - there - set(back))
        if new:
            made_anew.add(name)
            creations = (
                MapCreation(pin, _with_setting(wanted[pin], settings.get(pin)), linked.types)
                for pin in new
            )
            create.append(CreateMaps(name, tuple(creations)))
        for pin in sorted(settings.keys() - set(new)):
            write += _write(name, settings[pin], observed)
    run = _run_chains(desired, observed, made_anew)
    retire = _retire(desired, observed)
    return Plan((*restore, *create, *write, *run, *retire))


def _check_targets(targets: Collection[HookTarget], observed: Observed) -> None:
    for on in sorted(targets):
        if on in observed.absent:
            raise HookTargetMissing(observed.absent[on], hint="skep doctor")
        if on in observed.hidden:
            raise HookTargetHidden(
                f"{on} is not visible from here",
                hint="run the command where it is, for example with nsenter or ip netns exec",
            )
        if on in observed.foreign:
            raise HookOccupied(
                f"{on} is taken by {observed.foreign[on]}",
                hint="remove that program first; Skep does not replace what it did not attach",
            )


def _with_setting(map_plan: MapPlan, setting: MapSetting | None) -> MapPlan:
    if setting is None:
        return map_plan
    contents = {} if setting.whole else dict(map_plan.contents)
    contents.update(setting.entries)
    return replace(map_plan, contents=tuple(sorted(contents.items())))


def _write(name: str, setting: MapSetting, observed: Observed) -> list[Action]:
    before = tuple(sorted(observed.entries.get((name, setting.pin), {}).items()))
    after = tuple(sorted(setting.entries))
    return [WriteSetting(name, setting.pin, before, after)] if before != after else []


def _run_chains(
    desired: Sequence[LinkedDeployment], observed: Observed, made_anew: Collection[str]
) -> list[Action]:
    deployments = [linked.deployment for linked in desired]
    actions: list[Action] = []
    for on in sorted({d.on for d in deployments} | observed.chains.keys()):
        new = Chain.of([chain_member(d) for d in in_order(deployments, on)])
        previous = observed.chains.get(on, Chain())
        # A chain of the right name with other maps than those now pinned is not the right chain.
        stale = any(member.deployment in made_anew for member in new.members)
        if new.fingerprint != previous.fingerprint or stale:
            actions.append(RunChain(on, new, previous))
    return actions


def _retire(desired: Sequence[LinkedDeployment], observed: Observed) -> list[Action]:
    wanted = {
        linked.deployment.name: {map_pin_name(map_plan) for map_plan in linked.maps}
        for linked in desired
    }
    return [
        RetireMaps(name, tuple(sorted(pins - wanted.get(name, set()))))
        for name, pins in sorted(observed.maps.items())
        if pins - wanted.get(name, set())
    ]
