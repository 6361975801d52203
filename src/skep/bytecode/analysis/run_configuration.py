"""The run configuration an XDP program carries for libxdp's dispatcher.

Source: lib/libxdp/protocol.org of xdp-tools. It is in types only: DATASEC ``.xdp_run_config``, a
variable ``_<function>``, a struct whose members are pointers to arrays; the number of elements of
an array is the value.
"""

from dataclasses import dataclass

from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import Kind
from skep.errors import SkepError
from skep.hooks.packet_verdicts import XDP_VERDICTS

_SECTION = ".xdp_run_config"
_ACTIONS = tuple(XDP_VERDICTS.values)


@dataclass(frozen=True, slots=True)
class RunConfiguration:
    """Order and actions.

    Attributes:
        priority: ascending order of running.
        run_on: actions on which the next program runs.
        is_declared: the object has one for the program; otherwise these are libxdp's defaults.
    """

    priority: int = 50
    run_on: tuple[str, ...] = ("XDP_PASS",)
    is_declared: bool = False


def run_configuration(types: TypeTable | None, function: str) -> RunConfiguration:
    """The configuration of ``function``; the defaults where the object has none or a broken one."""
    if types is None:
        return RunConfiguration()
    try:
        for section in types.find(_SECTION, Kind.DATASEC):
            for variable in types.type(section).variables:
                declared = types.type(variable.type_id)
                if declared.name == f"_{function}":
                    return _read(types, declared.refers_to)
    except SkepError:
        return RunConfiguration()
    return RunConfiguration()


def _read(types: TypeTable, struct_id: int) -> RunConfiguration:
    values: dict[str, int] = {}
    for member in types.type(struct_id).members:
        pointer = types.type(member.type_id)
        array = types.type(pointer.refers_to)
        if pointer.kind is Kind.PTR and array.kind is Kind.ARRAY:
            values[member.name] = array.elements
    chosen = tuple(action for action in _ACTIONS if values.get(action))
    return RunConfiguration(
        priority=values.get("priority", RunConfiguration().priority),
        run_on=chosen if any(name in _ACTIONS for name in values) else RunConfiguration().run_on,
        is_declared=True,
    )
