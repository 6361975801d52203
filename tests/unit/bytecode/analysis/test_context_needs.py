"""First kernels of fields of contexts, and of helpers on maps of a type."""

import pytest
from tests.builders.assembled import (
    R0,
    R1,
    R2,
    Listing,
    add,
    analysed,
    call,
    copy,
    hash_map,
    leave,
    load,
    map_address,
    mov,
    store,
)
from tests.builders.assembled import R10 as FRAME

from skep.bytecode.btf.known_layouts import KNOWN_LAYOUTS
from skep.bytecode.isa.first_kernels import MAP_TYPE_NAMES
from skep.bytecode.isa.kernel_features import CONTEXT_FIELDS, MAP_CALLS


@pytest.mark.parametrize(
    ("program_type", "offset", "size", "expected"),
    [
        pytest.param("CGROUP_SOCK_ADDR", 64, 8, "5.3", id="socket-of-an-address"),
        pytest.param("XDP", 20, 4, "5.8", id="egress-interface"),
        pytest.param("CGROUP_SOCK_ADDR", 40, 4, "4.18", id="source-of-a-message"),
        pytest.param("SCHED_CLS", 76, 4, "4.7", id="packet-of-a-classifier"),
        pytest.param("SK_MSG", 60, 4, "4.18", id="port-of-a-message"),
        pytest.param("SOCK_OPS", 88, 4, "4.16", id="state-of-a-connection"),
        pytest.param("XDP", 0, 4, "4.8", id="the-packet-itself"),
    ],
)
def test_a_field_is_needed_since_it_is_there(
    program_type: str, offset: int, size: int, expected: str
) -> None:
    report = analysed(load(size, R2, R1, offset), leave(1), program_type=program_type)
    assert report.requirements.oldest_kernel >= expected or expected == "4.8"
    reasons = {each.what: each.kernel for each in report.requirements.reasons}
    named = [kernel for what, kernel in reasons.items() if what.startswith("field ")]
    assert named == ([] if expected == "4.8" else [expected])


def test_a_helper_takes_socket_maps_later_than_others() -> None:
    listing: Listing = [
        mov(R0, 0),
        store(4, FRAME, -4, R0),
        copy(R2, FRAME),
        add(R2, -4),
        map_address(R1, "peers"),
        call(1),
        leave(0),
    ]
    plain = analysed(listing, program_type="SCHED_CLS", maps=[hash_map("peers")])
    sockets = analysed(listing, program_type="SCHED_CLS", maps=[hash_map("peers", map_type=15)])
    assert "5.8" not in {each.kernel for each in plain.requirements.reasons}
    whats = {each.what for each in sockets.requirements.reasons if each.kernel == "5.8"}
    assert whats == {"helper bpf_map_lookup_elem on a map of type SOCKMAP"}


def test_every_row_is_about_something_there_is() -> None:
    assert all(field in KNOWN_LAYOUTS[context] for context, field in CONTEXT_FIELDS)
    assert all(name in MAP_TYPE_NAMES.values() for _, name in MAP_CALLS)
