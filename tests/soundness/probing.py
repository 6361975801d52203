"""Which helpers and kernel functions a program type has in the kernel at hand."""

from dataclasses import dataclass, field

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.linking.linking import link
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
        source = Source()
        code = Code("main", kind.section)
        source.functions.append(code)
        if isinstance(what, int):
            code.helper(what)
        else:
            source.kernel_functions[what] = declare_function(source.types, self.types, what)
            code.call(what)
        code.mov(0, kind.passing)
        code.exit()
        try:
            plan = link(read_object(source.build()), self.types, LinkSettings(possible_cpus=2))
            with execute(plan):
                return True
        except VerifierRefused as error:
            return not any(each in error.message for each in _REFUSALS)
        except SkepError:
            return False
