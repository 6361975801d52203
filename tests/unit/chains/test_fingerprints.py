from dataclasses import replace

import pytest
from tests.builders.deployments import deployment, hash_map, rodata

from skep.bytecode.linking.plan import MapPlan
from skep.chains.deployment import BadDeploymentName, parse_deployment_name
from skep.chains.fingerprints import (
    BadMapName,
    ChainMember,
    UnknownVerdict,
    chain_fingerprint,
    chain_member,
    fingerprint_in,
    kernel_name,
    map_pin_name,
    run_on_codes,
)

ONE = ChainMember("a", "sha256:00", "f", (2,), ("m",))
TWO = replace(ONE, deployment="b")


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, deployment="b"),
        replace(ONE, digest="sha256:01"),
        replace(ONE, program="g"),
        replace(ONE, run_on=(1, 2)),
        replace(ONE, maps=("m", "n")),
        replace(ONE, run_on=(), maps=("2", "m")),
    ],
)
def test_every_part_of_a_member_counts(other: ChainMember) -> None:
    assert chain_fingerprint([ONE]) != chain_fingerprint([other])


def test_order_counts() -> None:
    assert chain_fingerprint([ONE, TWO]) != chain_fingerprint([TWO, ONE])


def test_a_kernel_name_fits_and_gives_the_fingerprint_back() -> None:
    name = kernel_name(chain_fingerprint([ONE]))
    assert len(name) == 15
    assert fingerprint_in(name) == chain_fingerprint([ONE])


@pytest.mark.parametrize(
    "name", ["", "skep_", "skep_012345678", "skep_0123456789a", "skep_ABCDEF0123"]
)
def test_other_names_are_not_ours(name: str) -> None:
    assert fingerprint_in(name) is None


def test_settings_do_not_change_what_a_chain_is() -> None:
    before = deployment()
    after = deployment(settings=(("rate", "5/s"),))
    assert chain_member(before) == chain_member(after)


def test_an_unknown_verdict_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownVerdict) as caught:
        chain_member(deployment(run_on=("accept",)))
    assert "pass" in caught.value.hint


def test_dots_become_what_bpffs_takes() -> None:
    assert map_pin_name(MapPlan(".data.state", 2, 4, 8, 1)) == "-data-state"


def test_a_map_with_contents_is_named_for_them() -> None:
    assert map_pin_name(rodata(b"1111")) != map_pin_name(rodata(b"2222"))
    assert map_pin_name(rodata(b"1111")).startswith("-rodata-")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../x", "a b", "a\n", "a-b", "é", "x" * 181, "\x00", "a..b"]
)
def test_hostile_map_names_are_refused(name: str) -> None:
    with pytest.raises(BadMapName):
        map_pin_name(replace(hash_map(), name=name))


@pytest.mark.parametrize("name", ["a", "rate-limit_2", "0", "x" * 63])
def test_deployment_names(name: str) -> None:
    assert parse_deployment_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "A", "-a", "a-", "a.b", "a b", "a\n", "é", "x" * 64]
)
def test_what_cannot_be_a_directory_in_bpffs_is_refused(name: str) -> None:
    with pytest.raises(BadDeploymentName):
        parse_deployment_name(name)


def test_a_map_of_the_kernels_answers_is_named_by_the_questions() -> None:
    plans = [
        MapPlan(".kconfig", 2, 4, 8, 1, contents=((bytes(4), answer),), layout=layout)
        for answer in (b"1", b"2")
        for layout in ("CONFIG_HZ:0", "CONFIG_NET:0")
    ]
    names = [map_pin_name(each) for each in plans]
    assert names[:2] == names[2:]
    assert len(set(names)) == 2
    assert all(name.startswith("-kconfig-") for name in names)


def test_verdicts_become_codes_in_ascending_order() -> None:
    assert run_on_codes("xdp", ["tx", "pass"]) == (2, 3)
    assert run_on_codes("tcx-ingress", ["pipe", "pass", "next"]) == (-1, 0, 3)
