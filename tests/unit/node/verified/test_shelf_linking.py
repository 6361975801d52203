"""Linking deployments for a kernel: what is asked of it, and when."""

from collections.abc import Collection, Mapping

import pytest
from tests.builders.btf import BtfBuilder
from tests.builders.deployments import deployment
from tests.builders.objects import fixture_bytes
from tests.builders.published import make_package, toml

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.linking.errors import CannotLink
from skep.chains.planning import LinkedDeployment
from skep.kernel.errors import NotInThisKernel
from skep.node.verified.shelf import SizeOpen, link_deployment
from skep.packages.errors import WrongSetting
from skep.packages.opening import open_package


class FakeTarget:
    """A kernel with few functions; remembers what it was asked."""

    def __init__(self, hertz: int = 250) -> None:
        self.asked: list[str] = []
        self.hertz = hertz

    def types(self) -> KernelTypes:
        self.asked.append("types")
        builder = BtfBuilder()
        builder.function("bpf_rcu_read_lock")
        return KernelTypes.build(builder.build())

    def configuration(self) -> Mapping[str, str] | None:
        self.asked.append("configuration")
        return {"CONFIG_HZ": f"{self.hertz}", "CONFIG_BPF": "y", "CONFIG_NET": "y"}

    def version_code(self) -> int:
        self.asked.append("version")
        return 6 << 16 | 18 << 8

    def symbols(self, names: Collection[str]) -> Mapping[str, int]:
        self.asked.append(f"symbols {' '.join(sorted(names))}")
        return {}


def linked(
    fixture: str, program: str, target: FakeTarget | None, more: str = "", **settings: str
) -> LinkedDeployment:
    built = make_package(toml(program=program, more=more), objects={"x.o": fixture_bytes(fixture)})
    chosen = tuple(sorted(settings.items()))
    asked = deployment("limit", program=program, order=1, settings=chosen)
    return link_deployment(
        open_package(built.manifest_data, built.blobs.__getitem__), asked, target
    )


@pytest.mark.parametrize(
    ("fixture", "program", "asked"),
    [
        ("core", "reads_header", []),
        ("callback", "walk", []),
        ("kfunc", "calls", ["types"]),
        ("kfunc", "configuration", ["types", "configuration", "version"]),
    ],
)
def test_the_kernel_is_asked_for_what_the_program_needs_and_no_more(
    fixture: str, program: str, asked: list[str]
) -> None:
    target = FakeTarget()
    linked(fixture, program, target)
    assert target.asked == asked


def test_configuration_values_are_another_map_with_a_name_of_its_own() -> None:
    found = linked("kfunc", "configuration", FakeTarget())
    assert found.maps[-1].name == ".kconfig"
    assert found.deployment.maps[-1].startswith("-kconfig-")


def test_a_deployment_is_the_same_on_the_next_kernel() -> None:
    one = linked("kfunc", "configuration", FakeTarget(250))
    two = linked("kfunc", "configuration", FakeTarget(1000))
    assert one.maps[-1].contents != two.maps[-1].contents
    assert one.deployment == two.deployment


def test_the_types_of_the_object_go_along() -> None:
    found = linked("callback", "walk", FakeTarget())
    assert found.types is not None
    assert found.program.needs_types
    found = linked("kfunc", "calls", FakeTarget())
    assert found.types is not None
    assert not found.program.needs_types
    assert found.program.functions
    assert found.program.lines


def test_without_a_kernel_what_needs_one_is_refused() -> None:
    with pytest.raises(CannotLink, match="kernel function"):
        linked("kfunc", "calls", None)


def test_maps_that_need_types_get_them() -> None:
    target = FakeTarget()
    found = linked("storage", "missing", target)
    assert target.asked == [
        "types",
        "symbols never_there_address never_there_variable",
    ]
    assert [each.name for each in found.maps if each.needs_types] == ["sockets"]
    assert found.types is not None


def test_maps_that_begin_with_others_are_refused() -> None:
    with pytest.raises(CannotLink, match="it holds other maps"):
        linked("maps_of_maps", "jump", FakeTarget())


def test_a_kernel_without_types_says_so() -> None:
    class WithoutTypes(FakeTarget):
        def types(self) -> KernelTypes:
            raise NotInThisKernel("it was built without CONFIG_DEBUG_INFO_BTF")

    with pytest.raises(NotInThisKernel):
        linked("kfunc", "calls", WithoutTypes())


SIZE = '[settings.size]\ntype = "u32"\nmax_entries_of = "flows"\n'


def sizes(more: str, **settings: str) -> dict[str, int]:
    found = linked("open_size", "look", None, more, **settings)
    return {each.name: each.max_entries for each in found.maps}


def test_sizes_come_from_the_package_and_from_settings() -> None:
    package = "[maps.flows]\nmax_entries = 64\n"
    assert sizes(package) == {"flows": 64}
    assert sizes(package + SIZE) == {"flows": 64}
    assert sizes(package + SIZE, size="100") == {"flows": 100}
    assert sizes(SIZE + "default = 32") == {"flows": 32}
    assert sizes(SIZE, size="7") == {"flows": 7}


def test_a_size_that_nobody_said_is_asked_for() -> None:
    with pytest.raises(SizeOpen, match="how many entries map flows has") as caught:
        sizes("")
    assert "[maps.flows] max_entries" in caught.value.hint
    with pytest.raises(SizeOpen) as caught:
        sizes(SIZE)
    assert caught.value.hint == "for example --set size=4096"


def test_an_array_loses_no_places() -> None:
    more = '[settings.size]\ntype = "u32"\nmax_entries_of = "guards"'
    assert linked("value_fields", "counts", None, more, size="9").maps[0].max_entries == 9
    with pytest.raises(WrongSetting):
        linked("value_fields", "counts", None, more, size="0")


def test_the_size_of_a_map_is_in_the_label_of_what_is_loaded() -> None:
    found = linked("open_size", "look", None, "[maps.flows]\nmax_entries = 1000000")
    assert found.label is not None
    assert found.label.cost.map_bytes > 64_000_000
