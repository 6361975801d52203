"""What kernels and settings switch off: presence, and constants."""

from dataclasses import replace

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R2,
    call,
    confidence,
    function,
    jump_if_equal,
    jump_if_not_equal,
    leave,
    load,
    local,
    mov,
    one_program,
    value_address,
)
from tests.builders.objects import fixture

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.configuring import configure
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.model import CoreRelocation, MapSpec, ObjectFile, Variable
from skep.errors import UsageError


class TestPresence:
    """Code that is reached only if something exists does not raise the oldest kernel."""

    @pytest.mark.parametrize(
        ("program", "kernel"),
        [
            ("by_enumerator", "4.1"),
            ("by_field", "5.1"),
            ("by_function", "4.1"),
            ("by_absence", "5.1"),
            ("by_version", "5.2"),
            ("not_guarded", "5.11"),
        ],
    )
    def test_of_compiled_programs(self, program: str, kernel: str) -> None:
        assert analyse(fixture("presence")).program(program).oldest_kernel == kernel

    def test_both_branches_count_as_permissions(self) -> None:
        guarded = CoreRelocation("main", 0, 1, "task_struct", "0:0", 2)
        listing = [mov(R0, 1), jump_if_equal(R0, 1, 1), call(36), *leave(0)]
        objects = replace(one_program(*listing, program_type="KPROBE"), core_relocations=(guarded,))
        assert confidence(analyse(objects), "user.write_memory") == "declared"

    def test_a_compiled_answer_is_not_believed(self) -> None:
        guarded = CoreRelocation("main", 0, 1, "task_struct", "0:0", 2)
        objects = one_program(mov(R0, 1), EXIT)
        assert analyse(objects).program("main").exit_values == (1,)
        asked = analyse(replace(objects, core_relocations=(guarded,)))
        assert asked.program("main").exit_values == (0, 1)

    def test_a_value_that_depends_on_the_kernel_is_unknown(self) -> None:
        record = CoreRelocation("main", 0, 1, "task_struct", "0:0", 0)
        objects = replace(one_program(mov(R0, 2), EXIT), core_relocations=(record,))
        assert analyse(objects).program("main").exit_values is None

    def test_offsets_in_an_authors_structures_are_not_believed(self) -> None:
        record = CoreRelocation("main", 0, 1, "iphdr", "0:0", 0)
        objects = replace(one_program(mov(R0, 2), EXIT), core_relocations=(record,))
        assert analyse(objects).program("main").exit_values is None

    def test_records_of_wide_loads_count_too(self) -> None:
        record = CoreRelocation("main", 0, 1, "task_struct", "0:0", 2)
        wide = [Instruction(0x18, R0, 0, 0, 1), Instruction(0)]
        objects = replace(one_program(*wide, EXIT), core_relocations=(record,))
        assert analyse(objects).program("main").exit_values == (0, 1)

    @pytest.mark.parametrize("slot", [-1, 3, 10**9])
    def test_a_record_at_no_move_changes_nothing(self, slot: int) -> None:
        record = CoreRelocation("main", slot, 1, "task_struct", "0:0", 2)
        objects = replace(one_program(mov(R0, 2), EXIT), core_relocations=(record,))
        assert analyse(objects).program("main").exit_values == (2,)


def with_flag(*listing: object, data: bytes = bytes(8), **settings: object) -> ObjectFile:
    """A program after ``r2 = flag``, a constant of eight bytes."""
    objects = one_program(
        value_address(R1, ".rodata"),
        load(8, R2, R1),
        *listing,  # type: ignore[arg-type]
        maps=[MapSpec(".rodata", 2, 4, len(data), 1, flags=0x80, data=data, origin="data")],
        **settings,  # type: ignore[arg-type]
    )
    return replace(objects, variables=(Variable("flag", ".rodata", 0, 8),))


GUARDED = (jump_if_equal(R2, 0, 1), call(130), leave(2))


class TestConstants:
    """Read-only data as the author set it, and as a loader may."""

    def test_a_second_oldest_kernel_for_what_is_left(self) -> None:
        report = analyse(with_flag(*GUARDED))
        assert report.requirements.oldest_kernel == "5.8"
        assert report.as_built is not None
        assert report.as_built.oldest_kernel == "5.5"  # older ones do not fold constants
        assert report.as_built.helpers == ("bpf_ringbuf_output",)
        assert [each.id for each in report.as_built.permissions] == ["data.export"]

    def test_the_label_stays_an_upper_bound(self) -> None:
        assert confidence(analyse(with_flag(*GUARDED)), "data.export") == "declared"

    def test_a_setting_switches_it_on_again(self) -> None:
        found = configure(with_flag(*GUARDED), {"flag": (1).to_bytes(8, "little")})
        assert found.oldest_kernel == "5.8"
        assert (found.helpers, found.permissions, found.variables) == ((), (), ("flag",))

    def test_functions_and_maps_that_are_left_out(self) -> None:
        found = analyse(fixture("constants")).as_built
        assert found is not None
        assert found.functions == ("kill",)
        assert found.maps == ("seen",)
        assert {"data.state", "proc.signal"} <= {each.id for each in found.permissions}
        assert found.instructions > 0

    def test_settings_of_a_compiled_object(self) -> None:
        found = configure(fixture("constants"), {"mode": (1).to_bytes(4, "little")})
        assert found.functions == ()
        assert "bpf_ringbuf_output" in found.helpers
        assert "bpf_send_signal" not in found.helpers

    def test_signed_constants(self) -> None:
        found = configure(fixture("constants"), {"negative": (1).to_bytes(8, "little")})
        assert "bpf_ktime_get_ns" not in found.helpers

    @pytest.mark.parametrize(
        "variables",
        [
            pytest.param({"elsewhere": b"1"}, id="no-such-variable"),
            pytest.param({"flag": b"1"}, id="other-size"),
        ],
    )
    def test_refuses_settings_that_do_not_fit(self, variables: dict[str, bytes]) -> None:
        with pytest.raises(UsageError):
            configure(with_flag(*GUARDED), variables)

    def test_variables_that_may_be_written_are_not_constants(self) -> None:
        objects = with_flag(*GUARDED)
        written = replace(objects.maps[0], name=".data", flags=0)
        relocations = tuple(
            replace(each, name=".data") for each in objects.functions[0].relocations
        )
        changed = replace(
            objects,
            maps=(written,),
            functions=(replace(objects.functions[0], relocations=relocations),),
            variables=(Variable("flag", ".data", 0, 8),),
        )
        assert analyse(changed).as_built is None
        with pytest.raises(UsageError):
            configure(changed, {"flag": bytes(8)})

    def test_without_constants_there_is_nothing_to_say(self) -> None:
        assert analyse(one_program(call(130), leave(2))).as_built is None
        assert configure(one_program(call(130), leave(2)), {}).oldest_kernel == "5.8"

    def test_nor_without_data_flow(self) -> None:
        assert analyse(with_flag(*GUARDED), data_flow=False).as_built is None

    def test_a_load_outside_the_data_is_unknown(self) -> None:
        objects = with_flag(jump_if_not_equal(R2, 0, 1), call(130), leave(2), data=bytes(4))
        found = analyse(objects).as_built
        assert found is not None
        assert found.helpers == ()

    def test_a_pointer_that_may_be_something_else_is_no_constant(self) -> None:
        # r1 is the constant's address or what a function of ours got from nobody knows where.
        others = [function("other", load(8, R0, R1, 64), EXIT)]
        objects = one_program(
            Instruction(0xBF, 6, 1),
            local("other"),
            value_address(R1, ".rodata"),
            jump_if_equal(R0, 0, 1),
            Instruction(0xBF, 1, 0),
            load(8, R2, R1),
            *GUARDED,
            others=others,
            maps=[MapSpec(".rodata", 2, 4, 8, 1, flags=0x80, data=bytes(8), origin="data")],
        )
        found = analyse(objects).as_built
        assert found is None or found.helpers == ()
