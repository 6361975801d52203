"""What it costs to have an object loaded: memory of maps, instructions, stack, paths.

The formulas for maps were compared with ``memlock`` in ``/proc/self/fdinfo`` on Linux 6.18: they
are within 6 percent where they are called an estimate. n entries, k key bytes, v value bytes.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from skep.bytecode.analysis.control_flow import FunctionFlow
from skep.bytecode.analysis.programs import AnalysedProgram
from skep.bytecode.analysis.report import Cost, MapCost
from skep.bytecode.isa.first_kernels import MAP_TYPE_NAMES
from skep.bytecode.objectfile.model import MapSpec

MOST_BYTES = (1 << 63) - 1
"""More is not told apart: an object may declare 2^32 entries of 2^32 bytes."""

_NO_PREALLOC = 1
_PAGE_BYTES = 4096
_RING_OVERHEAD_BYTES = 13 * 1024
_ESTIMATE, _AT_MOST, _UNKNOWN = "estimate", "at most", "unknown"

_HASHES = frozenset({"HASH", "LRU_HASH", "HASH_OF_MAPS", "DEVMAP_HASH", "SOCKHASH", "RHASH"})
_PER_CPU_HASHES = frozenset({"PERCPU_HASH", "LRU_PERCPU_HASH"})
_POINTER_ARRAYS = frozenset(
    {
        "PROG_ARRAY",
        "DEVMAP",
        "XSKMAP",
        "SOCKMAP",
        "CPUMAP",
        "PERF_EVENT_ARRAY",
        "CGROUP_ARRAY",
        "ARRAY_OF_MAPS",
        "REUSEPORT_SOCKARRAY",
        "INSN_ARRAY",
    }
)


def _round8(size: int) -> int:
    return -(-size // 8) * 8


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length() if count > 1 else count


@dataclass(frozen=True, slots=True)
class _Memory:
    fixed: int
    per_cpu: int = 0
    accuracy: str = _ESTIMATE


def _memory(name: str, spec: MapSpec | MapCost) -> _Memory:
    n, k, v = spec.max_entries, spec.key_size, spec.value_size
    if name == "ARRAY":
        return _Memory(_round8(v) * n)
    if name in _HASHES:
        grows = spec.flags & _NO_PREALLOC or name in {"RHASH", "SOCKHASH"}
        size = n * (_round8(k) + _round8(v) + 48) + 16 * _power_of_two(n)
        return _Memory(size, accuracy=_AT_MOST if grows else _ESTIMATE)
    if name == "PERCPU_ARRAY":
        return _Memory(8 * n, _round8(v) * n)
    if name in _PER_CPU_HASHES:
        fixed = n * (_round8(k) + 56) + 16 * _power_of_two(n)
        grows = spec.flags & _NO_PREALLOC
        return _Memory(fixed, _round8(v) * n, _AT_MOST if grows else _ESTIMATE)
    if name in {"RINGBUF", "USER_RINGBUF"}:
        return _Memory(n + _RING_OVERHEAD_BYTES)
    if name == "STACK_TRACE":
        return _Memory(n * (v + 32))
    if name in {"QUEUE", "STACK"}:
        return _Memory(_round8(v) * (n + 1))
    if name == "PERF_EVENT_ARRAY" and n == 0:
        return _Memory(376, 8)  # loaders make one entry per possible CPU
    if name in _POINTER_ARRAYS:
        return _Memory(8 * n + 376)
    if name == "LPM_TRIE":
        return _Memory(n * (36 + k + v), accuracy=_AT_MOST)
    if name == "ARENA":
        return _Memory(n * _PAGE_BYTES, accuracy=_AT_MOST)
    return _Memory(0, accuracy=_UNKNOWN)


def map_cost(spec: MapSpec) -> MapCost:
    """Memory of one map; a size that user space has to set counts as 0."""
    name = MAP_TYPE_NAMES.get(spec.map_type, str(spec.map_type))
    memory = _memory(name, spec)
    return MapCost(
        name=spec.name,
        map_type=name,
        key_size=spec.key_size,
        value_size=spec.value_size,
        max_entries=spec.max_entries,
        bytes=min(memory.fixed, MOST_BYTES),
        bytes_per_cpu=min(memory.per_cpu, MOST_BYTES),
        accuracy=memory.accuracy,
        flags=spec.flags,
        pinned_by_name=bool(spec.pinning),
    )


def resized(cost: Cost, sizes: Mapping[str, int]) -> Cost:
    """What it costs with other numbers of entries than the object states.

    Args:
        cost: as the object states.
        sizes: entries by map; names of other objects' maps are left out.
    """
    maps = tuple(_with_entries(each, sizes.get(each.name)) for each in cost.maps)
    map_bytes, per_cpu = total(maps)
    return replace(cost, maps=maps, map_bytes=map_bytes, map_bytes_per_cpu=per_cpu)


def _with_entries(cost: MapCost, entries: int | None) -> MapCost:
    if entries is None:
        return cost
    made = replace(cost, max_entries=entries)
    memory = _memory(cost.map_type, made)
    return replace(
        made,
        bytes=min(memory.fixed, MOST_BYTES),
        bytes_per_cpu=min(memory.per_cpu, MOST_BYTES),
        accuracy=memory.accuracy,
    )


def longest_path(program: AnalysedProgram) -> int | None:
    """Instructions on the longest way through a program and what it calls.

    Callbacks count as called once. ``None`` if there are loops, recursion or indirect jumps.
    """
    graph = program.graph
    flows = {flow.function.name: flow for flow in graph.functions}
    if graph.recursive or any(
        flow.back_edges or flow.has_indirect_jumps for flow in graph.functions
    ):
        return None
    lengths: dict[str, int] = {}
    for name in _callees_first(flows):
        lengths[name] = _longest_inside(flows[name], lengths)
    return _entry(program, lengths)


def _entry(program: AnalysedProgram, numbers: Mapping[str, int]) -> int | None:
    functions = program.graph.functions
    return numbers.get(functions[0].function.name) if functions else None


def _callees_first(flows: Mapping[str, FunctionFlow]) -> list[str]:
    """Names in an order in which every function comes behind what it calls, if there is one."""
    done: dict[str, None] = {}
    for root in flows:
        stack = [(root, iter((*flows[root].calls, *flows[root].callbacks)))]
        entered = {root}
        while stack:
            name, callees = stack[-1]
            for callee in callees:
                if callee in flows and callee not in done and callee not in entered:
                    entered.add(callee)
                    inner = flows[callee]
                    stack.append((callee, iter((*inner.calls, *inner.callbacks))))
                    break
            else:
                done[name] = None
                stack.pop()
    return list(done)


def _longest_inside(flow: FunctionFlow, callees: Mapping[str, int]) -> int:
    extra = {
        slot: callees.get(relocation.name, 0)
        for slot, relocation in flow.relocations.items()
        if relocation.kind in {"call", "function_address"}
    }
    called = dict.fromkeys(flow.blocks, 0)  # instructions of what a block calls
    starts = sorted(flow.blocks)
    for slot, length in extra.items():
        position = bisect_right(starts, slot) - 1
        if position >= 0 and slot < flow.blocks[starts[position]].end:
            called[starts[position]] += length
    longest: dict[int, int] = {}
    for start in reversed(tuple(flow.blocks)):  # reverse post-order, so successors come first
        block = flow.blocks[start]
        behind = 0
        for successor in block.successors:
            behind = max(behind, longest.get(successor, 0))
        longest[start] = block.instructions + called[start] + behind
    return longest.get(0, 0)


def stack_bytes(program: AnalysedProgram) -> int | None:
    """Deepest stack along a chain of calls, each frame rounded up to 8 bytes.

    The kernel rounds up more (32 bytes for each frame when there are several), so this is not
    its verdict on the limit of 512. ``None`` without data flow, or with recursion.
    """
    if program.facts is None or program.graph.recursive or not program.is_resolved:
        return None
    frames: dict[str, int] = {}
    for name, facts in program.function_facts():
        frames[name] = max(frames.get(name, 0), _round8(facts.frame_bytes))
    flows = {flow.function.name: flow for flow in program.graph.functions}
    depths: dict[str, int] = {}
    for name in _callees_first(flows):
        flow = flows[name]
        below = [depths.get(callee, 0) for callee in (*flow.calls, *flow.callbacks)]
        depths[name] = frames.get(name, 0) + max(below, default=0)
    return _entry(program, depths)


def total(costs: Sequence[MapCost]) -> tuple[int, int]:
    """(bytes, bytes per CPU) of all maps."""
    return (
        min(sum(cost.bytes for cost in costs), MOST_BYTES),
        min(sum(cost.bytes_per_cpu for cost in costs), MOST_BYTES),
    )
