"""Exception callbacks: a tag names them, nothing mentions them, the kernel calls them."""

import pytest
from tests.builders.btf import BtfBuilder
from tests.builders.compiled import compiled_object
from tests.builders.throwing import IN_ENTRY, IN_SUBPROGRAM, SOURCE, WITH_CALLBACK

from skep.bytecode.analysis.linked import analyse_linked
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.types import Kind
from skep.bytecode.linking.errors import CannotLink
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import LoadPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.reading import read_object


def kernel() -> KernelTypes:
    """One that has ``void bpf_throw(u64)``."""
    builder = BtfBuilder()
    number = builder.integer("long long unsigned int", 8)
    prototype = builder.raw(Kind.FUNC_PROTO, count=1, tail=[0, number])
    builder.raw(Kind.FUNC, "bpf_throw", count=1, value=prototype)
    return KernelTypes.build(builder.build())


def linked(body: str) -> LoadPlan:
    return link(read_object(compiled_object(SOURCE + body)), kernel(), LinkSettings())


def test_a_callback_comes_last_and_needs_the_types_of_all_functions() -> None:
    (program,) = linked(WITH_CALLBACK).programs
    assert program.names == ("throws", "handle")
    assert program.exception_callback == "handle"
    assert program.needs_types
    assert [each.slot for each in program.functions] == list(program.subprograms)
    assert [each.name for each in program.kernel_names] == ["bpf_throw"]


@pytest.mark.parametrize("body", [IN_ENTRY, IN_SUBPROGRAM])
def test_without_one_what_is_thrown_is_returned(body: str) -> None:
    (program,) = linked(body).programs
    assert program.exception_callback == ""
    assert not program.needs_types


def test_a_callback_of_a_program_that_never_throws_is_left_out() -> None:
    thrower = WITH_CALLBACK.replace("bpf_throw(2)", "return 3")
    other = IN_ENTRY.replace("throws", "other")
    first, second = linked(thrower + other).programs
    assert (first.names, first.exception_callback) == (("throws",), "")
    assert second.kernel_names


def test_a_callback_that_is_not_there_is_refused() -> None:
    with pytest.raises(CannotLink, match="names gone as its exception callback"):
        linked(WITH_CALLBACK.replace("HANDLED_BY(handle)", "HANDLED_BY(gone)"))


def test_the_label_of_what_is_loaded_follows_the_callback() -> None:
    read = read_object(compiled_object(SOURCE + WITH_CALLBACK))
    plan = link(read, kernel(), LinkSettings())
    (shown,) = analyse_linked(plan, read, kernel()).programs
    assert shown.is_resolved
