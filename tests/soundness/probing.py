"""Which helpers and kernel functions a program type has in the kernel at hand."""

from dataclasses import dataclass, field, replace

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.isa.codes import CALL
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import LoadPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.reading import read_object
from skep.errors import SkepError
from skep.kernel.errors import VerifierRefused
from tests.builders.loaded_objects import execute
from tests.soundness.assembling import Code, Source
from tests.soundness.kernel_facts import declare_function
from tests.soundness.kinds import ProgramKind

_REFUSALS = ("cannot use helper", "is not allowed", "invalid func", "unknown func")


@dataclass
class Probes:
    """Asks once and remembers."""

    types: KernelTypes
    _known: dict[tuple[str, int | str], bool] = field(default_factory=dict)
    _plans: dict[str, LoadPlan] = field(default_factory=dict)

    def has_helper(self, kind: ProgramKind, number: int) -> bool:
        return self._has(kind, number)

    def has_kfunc(self, kind: ProgramKind, name: str) -> bool:
        return self._has(kind, name)

    def _has(self, kind: ProgramKind, what: int | str) -> bool:
        key = (kind.name, what)
        if key not in self._known:
            self._known[key] = self._asked(kind, what)
        return self._known[key]

    def _asked(self, kind: ProgramKind, what: int | str) -> bool:
        try:
            with execute(self._calling(kind, what)):
                return True
        except VerifierRefused as error:
            return not any(each in error.message for each in _REFUSALS)
        except SkepError:
            return False

    def _calling(self, kind: ProgramKind, what: int | str) -> LoadPlan:
        if isinstance(what, str):
            return self._linked(kind, what)
        if kind.name not in self._plans:  # it is linked once, and helpers have only numbers
            self._plans[kind.name] = self._linked(kind)
        plan = self._plans[kind.name]
        (program,) = plan.programs
        code = (Instruction(CALL, immediate=what), *program.instructions)
        return replace(plan, programs=(replace(program, instructions=code),))

    def _linked(self, kind: ProgramKind, function: str = "") -> LoadPlan:
        source = Source()
        code = Code("main", kind.section)
        source.functions.append(code)
        if function:
            source.kernel_functions[function] = declare_function(source.types, self.types, function)
            code.call(function)
        code.mov(0, kind.passing)
        code.exit()
        return link(read_object(source.build()), self.types, LinkSettings(possible_cpus=2))
