"""One verdict table for each place a program can be attached to, and how to find it.

Everything that has to know what a return value does reads these tables: the analysis (which
permissions a value shows), chains (names and numbers of ``run_on``), prompts and documentation.
They cover types that Skep cannot attach yet.
"""

from collections.abc import Mapping
from types import MappingProxyType

from skep.hooks.cgroup_verdicts import CGROUP_TABLES
from skep.hooks.packet_verdicts import PACKET_TABLES
from skep.hooks.socket_verdicts import SOCKET_TABLES
from skep.hooks.tracing_verdicts import TRACING_TABLES
from skep.hooks.verdict import VerdictTable

VERDICT_TABLES: tuple[VerdictTable, ...] = (
    *PACKET_TABLES,
    *SOCKET_TABLES,
    *CGROUP_TABLES,
    *TRACING_TABLES,
)

_BY_ATTACH_TYPE: Mapping[tuple[str, str], VerdictTable] = MappingProxyType(
    {(table.program_type, name): table for table in VERDICT_TABLES for name in table.attach_types}
)
_BY_TYPE: Mapping[str, VerdictTable] = MappingProxyType(
    {table.program_type: table for table in VERDICT_TABLES if not table.attach_types}
)


def verdicts_of(program_type: str | None, attach_type: str | None) -> VerdictTable | None:
    """The table of a program's return values; ``None`` for types without one.

    A program whose type nobody knows has the table of programs that replace others.

    >>> verdicts_of("CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND").rows(3)[1].permissions
    ('net.privileged_bind',)
    """
    found = _BY_ATTACH_TYPE.get((program_type or "", attach_type or ""))
    # Of a program of unknown type as little is known as of one that replaces another.
    return found or _BY_TYPE.get("EXT" if program_type is None else program_type)


def scope_of_type(program_type: str | None) -> str:
    """Whose packets or sockets programs of a type decide about; empty if it makes no difference."""
    table = _BY_TYPE.get(program_type or "")
    return "" if table is None else table.scope
