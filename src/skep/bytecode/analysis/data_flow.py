"""An abstract interpreter: which values registers and stack slots may hold, function by function.

It follows moves, arithmetic with constants, masks, 8-byte spills, branches against constants, and
local calls (a function is interpreted anew for every new tuple of arguments, up to a limit, then
for their join). Everything else becomes unknown. All results are upper bounds.

Limits: no memory model for map values, no relation between registers; configuration is known only
where it is assumed (:mod:`.assumptions`). A function that takes more steps than allowed is
reported as not resolved, and then nothing that depends on data flow is excluded.

Against hostile input: steps per function, steps in all, contexts per function and depth of calls
are capped; nothing recurses on input beyond that depth.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from skep.bytecode.analysis.assumptions import NOTHING_ASSUMED, Assumptions
from skep.bytecode.analysis.contexts import ContextLayout
from skep.bytecode.analysis.control_flow import Flows
from skep.bytecode.analysis.flow_facts import Arguments, FunctionFacts, Key
from skep.bytecode.analysis.frames import Escapes
from skep.bytecode.analysis.interpreting import CodeInterpreter
from skep.bytecode.analysis.values import (
    ANYTHING,
    CONTEXT,
    UNKNOWN,
    Pointer,
    Value,
    join,
    widened,
)
from skep.bytecode.objectfile.model import MapSpec

MOST_STEPS = 60_000  # instructions interpreted per function and tuple of arguments
_MOST_STEPS_IN_ALL = 1_000_000
_MOST_CONTEXTS = 8
_MOST_DEPTH = 16  # the kernel allows 8 frames


@dataclass(slots=True)
class Budget:
    """Steps that are left for all functions of an object, whatever their context."""

    steps: int = _MOST_STEPS_IN_ALL


class DataFlow:
    """Interprets functions of one object for programs with one kind of context."""

    def __init__(
        self,
        flows: Flows,
        layout: ContextLayout,
        assumptions: Assumptions = NOTHING_ASSUMED,
        budget: Budget | None = None,
        maps: Mapping[str, MapSpec] | None = None,
    ) -> None:
        self._flows = flows
        self._layout = layout
        self._assumptions = assumptions
        self._facts: dict[Key, FunctionFacts] = {}
        self._contexts: dict[str, list[Arguments]] = {}
        self._active: list[Key] = []
        self.escapes = Escapes()
        self._maps = {} if maps is None else maps
        self._budget = Budget() if budget is None else budget

    def program(self, entry: str) -> Mapping[Key, FunctionFacts]:
        """Facts of the entry (first) and of everything it calls.

        Functions it reaches but that could not be followed (callbacks whose place is unknown,
        calls that are nested too deep) are interpreted with arguments that may be anything.
        """
        while True:
            found = self._interpret(entry)
            if self.escapes.is_settled():
                return found
            self._facts.clear()
            self._contexts.clear()

    def _interpret(self, entry: str) -> dict[Key, FunctionFacts]:
        found: dict[Key, FunctionFacts] = {}
        self._collect(self._call(entry, (Pointer(CONTEXT, 0), *(UNKNOWN,) * 4)), found)
        names = {name for name, _ in found}
        for flow in self._flows.graph(entry).functions:
            name = flow.function.name
            if name not in names:
                self._collect(self._call(name, (ANYTHING,) * 5), found)
        return found

    def _collect(self, key: Key, found: dict[Key, FunctionFacts]) -> None:
        waiting = [key]
        while waiting:
            key = waiting.pop()
            if key not in found:
                facts = found[key] = self._facts[key]
                waiting += facts.callees
                waiting += [self._call(name, given) for name, given in facts.later]

    def _call(self, name: str, arguments: Arguments) -> Key:
        """Interpret ``name`` unless that was done; the key of its facts."""
        seen = self._contexts.setdefault(name, [])
        if arguments not in seen and len(seen) >= _MOST_CONTEXTS:
            # From here on one growing context for all, numbers unknown.
            for earlier in seen:
                arguments = tuple(map(join, arguments, earlier))
            arguments = tuple(widened(UNKNOWN, argument) for argument in arguments)
            if arguments not in seen:
                seen[-1] = arguments
        elif arguments not in seen:
            seen.append(arguments)
        key = (name, arguments)
        if key in self._facts:
            return key
        flow = self._flows.find(name)
        facts = self._facts[key] = FunctionFacts()
        if flow is None or len(self._active) >= _MOST_DEPTH or self._budget.steps <= 0:
            facts.is_resolved = False
            return key
        self._active.append(key)
        CodeInterpreter(self, flow, facts).run(arguments)
        self._active.pop()
        return key

    def invoke(self, caller: FunctionFacts, name: str, arguments: Arguments) -> Value | None:
        """Call from interpreted code; the result, and ``caller`` notes the callee.

        ``None`` if it never returns.
        """
        if len(self._active) >= _MOST_DEPTH:
            caller.is_resolved = False
            return ANYTHING
        key = self._call(name, arguments)
        caller.callees[key] = None
        if key in self._active:  # recursion: the kernel refuses it
            caller.is_resolved = False
            return ANYTHING
        facts = self._facts[key]
        result = facts.result()
        if facts.hands_over and not self._assumptions.tail_calls_leave:
            return UNKNOWN if result is None else join(result, UNKNOWN)
        return result

    @property
    def layout(self) -> ContextLayout:
        """What r1 of an entry points to."""
        return self._layout

    @property
    def assumptions(self) -> Assumptions:
        """Facts assumed about the kernel and read-only data."""
        return self._assumptions

    @property
    def maps(self) -> Mapping[str, MapSpec]:
        """Maps of the object, by name."""
        return self._maps

    def allowance(self) -> int:
        """Steps the next function may take."""
        return min(MOST_STEPS, self._budget.steps)

    def spend(self, steps: int) -> None:
        """Take steps from what is left for all functions."""
        self._budget.steps -= steps
