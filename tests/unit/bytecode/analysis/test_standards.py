"""Ways of sharing a hook: which a program is fit for, and why not."""

from dataclasses import replace

import pytest
from tests.builders.assembled import EXIT, R0, R1, R10, analysed, leave, mov, store
from tests.builders.compiled import compiled_object
from tests.builders.objects import fixture
from tests.builders.throwing import IN_ENTRY, IN_SUBPROGRAM, SOURCE, WITH_CALLBACK

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.analysis.report_standing import Standard
from skep.bytecode.analysis.run_configuration import run_configuration
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.sharing import MOST_MEMBER_STACK_BYTES, STACK_BYTES
from skep.bytecode.objectfile.reading import read_object

CALLBACK = "exception callback makes the return value of the whole chain"


def standard(report: AnalysisReport, program: str, name: str) -> Standard:
    (found,) = [
        each for each in report.standards if (each.program, each.standard) == (program, name)
    ]
    return found


class TestL3af:
    """Tail calls through a pinned array of one program."""

    @pytest.mark.parametrize("program", ["root", "member", "classifier"])
    def test_conforming(self, program: str) -> None:
        found = standard(analyse(fixture("chained")), program, "l3af chain")
        assert found.conforms
        assert found.reasons == ()
        assert "chaining map next" in found.facts

    def test_a_root_is_nothing_but_the_tail_call(self) -> None:
        report = analyse(fixture("chained"))
        assert any("root" in fact for fact in standard(report, "root", "l3af chain").facts)
        assert not any("root" in fact for fact in standard(report, "member", "l3af chain").facts)

    @pytest.mark.parametrize(
        ("program", "reason"),
        [
            ("leaves_early", "a way through it ends with 2 and without a tail call"),
            ("drops_at_the_end", "does not return 2"),
            ("other_index", "not to index 0"),
            ("other_map", "do not go through one chaining map"),
            ("no_call", "makes no tail call"),
        ],
    )
    def test_not_conforming(self, program: str, reason: str) -> None:
        found = standard(analyse(fixture("chained")), program, "l3af chain")
        assert not found.conforms
        assert any(reason in each for each in found.reasons)

    @pytest.mark.parametrize(
        "change",
        [{"max_entries": 2}, {"pinning": 0}, {"key_size": 8}, {"map_type": 1}],
        ids=lambda change: next(iter(change)),
    )
    def test_the_map_must_be_as_it_is_written(self, change: dict[str, int]) -> None:
        objects = fixture("chained")
        maps = tuple(
            replace(each, **change) if each.name == "next" else each  # type: ignore[arg-type]
            for each in objects.maps
        )
        found = standard(analyse(replace(objects, maps=maps)), "member", "l3af chain")
        assert not found.conforms

    def test_a_licence_must_be_there(self) -> None:
        objects = replace(fixture("chained"), licence=None)
        found = standard(analyse(objects), "member", "l3af chain")
        assert found.reasons == ("the object has no licence string",)

    def test_without_data_flow_nothing_conforms(self) -> None:
        report = analyse(fixture("chained"), data_flow=False)
        assert not standard(report, "member", "l3af chain").conforms

    def test_is_for_the_network_only(self) -> None:
        report = analysed(leave(0), program_type="KPROBE", section="kprobe/f")
        assert report.standards == ()


class TestLibxdp:
    """Members of a dispatcher."""

    def test_with_an_order_and_actions_of_its_own(self) -> None:
        found = standard(analyse(fixture("dispatched")), "ordered", "libxdp dispatcher")
        assert found.conforms
        assert found.facts == ("priority 10", "continues on XDP_DROP, XDP_PASS")

    def test_with_the_defaults(self) -> None:
        found = standard(analyse(fixture("dispatched")), "plain", "libxdp dispatcher")
        assert found.facts == ("priority 50", "continues on XDP_PASS", "supports fragments")

    @pytest.mark.parametrize(
        ("program", "reason"),
        [("two_arguments", "does not take one pointer"), ("on_a_cpu", "XDP_CPUMAP")],
    )
    def test_not_conforming(self, program: str, reason: str) -> None:
        found = standard(analyse(fixture("dispatched")), program, "libxdp dispatcher")
        assert not found.conforms
        assert reason in found.reasons[0]

    def test_needs_types(self) -> None:
        objects = replace(fixture("dispatched"), types=None)
        (reason,) = standard(analyse(objects), "ordered", "libxdp dispatcher").reasons
        assert "BTF" in reason

    def test_needs_a_global_function_with_information(self) -> None:
        objects = fixture("dispatched")
        for change, reason in (({"is_static": True}, "static"), ({"type_id": 0}, "information")):
            functions = tuple(replace(each, **change) for each in objects.functions)
            changed = analyse(replace(objects, functions=functions))
            (found,) = standard(changed, "ordered", "libxdp dispatcher").reasons
            assert reason in found

    def test_without_types_the_configuration_is_the_default(self) -> None:
        assert run_configuration(None, "any").priority == 50


class TestSkep:
    """Members of a spliced chain."""

    def test_callbacks_cannot_be_spliced(self) -> None:
        found = standard(analyse(fixture("dispatched")), "calls_back", "skep chain")
        assert found.reasons == ("it takes the address of a function",)

    @pytest.mark.parametrize(
        ("instruction", "reason"),
        [
            pytest.param(Instruction(0x30, 0, 0, 0, 14), "legacy packet load", id="packet-load"),
            pytest.param(Instruction(0x0D, 1), "jumps through a table", id="gotox"),
        ],
    )
    def test_what_cannot_be_moved(self, instruction: Instruction, reason: str) -> None:
        found = standard(analysed(instruction, leave(2)), "main", "skep chain")
        assert reason in found.reasons[0]

    @pytest.mark.parametrize(
        ("body", "reasons"),
        [
            pytest.param(IN_ENTRY, (), id="entry"),
            pytest.param(
                IN_SUBPROGRAM,
                ("it throws in a subprogram, which would end the whole chain",),
                id="subprogram",
            ),
            pytest.param(
                WITH_CALLBACK,
                (f"it throws, and its {CALLBACK}",),
                id="callback",
            ),
        ],
    )
    def test_only_the_entry_may_throw(self, body: str, reasons: tuple[str, ...]) -> None:
        report = analyse(read_object(compiled_object(SOURCE + body)))
        assert standard(report, "throws", "skep chain").reasons == reasons

    def test_objects_of_its_own_types_keep_a_program_alone(self) -> None:
        report = analyse(fixture("value_fields"))
        found = {name: standard(report, name, "skep chain") for name in ("counts", "keeps")}
        assert found["counts"].conforms
        assert found["keeps"].reasons == (
            "it makes objects of its own types, which a chain does not have",
        )

    @pytest.mark.parametrize(
        ("depth", "conforms"),
        [(MOST_MEMBER_STACK_BYTES, True), (STACK_BYTES, False)],
        ids=["fits", "too-deep"],
    )
    def test_the_context_needs_a_place_on_the_stack(self, depth: int, *, conforms: bool) -> None:
        report = analysed(mov(R1, 0), store(8, R10, -depth, R1), mov(R0, 2), EXIT)
        assert standard(report, "main", "skep chain").conforms is conforms
