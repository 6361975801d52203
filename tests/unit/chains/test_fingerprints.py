from dataclasses import replace

import pytest
from tests.builders.deployments import deployment, hash_map, rodata

from skep.bytecode.linking.plan import MapPlan
from skep.chains.deployment import (
    AttachmentSpec,
    BadDeploymentName,
    Deployment,
    parse_deployment_name,
)
from skep.chains.fingerprints import (
    BadMapName,
    ChainMember,
    UnknownVerdict,
    chain_fingerprint,
    chain_member,
    fingerprint_in,
    kernel_map_name,
    kernel_name,
    map_pin_name,
    run_on_codes,
)
from skep.hooks.table import parse_hook_target

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


def test_members_are_in_order_by_name_first() -> None:
    assert sorted([TWO, ONE]) == [ONE, TWO]


def test_a_member_is_what_the_deployment_says() -> None:
    one = deployment("a", run_on=("tx", "pass"), maps=("x", "y"))
    assert chain_member(one) == ChainMember("a", one.digest, "a", (2, 3), ("x", "y"))


def test_what_names_on_disk_and_in_kernels_begin_with_stays() -> None:
    """Another name is another chain: after an update all would be made anew."""
    assert chain_fingerprint([ONE, TWO]) == "071dd86b58"
    assert map_pin_name(rodata(b"1111")) == "-rodata-d4af397472"
    config = MapPlan(".kconfig", 2, 4, 8, 1, layout="CONFIG_HZ:0")
    assert map_pin_name(config) == "-kconfig-be5a7020dd"


@pytest.mark.parametrize("name", ["a", "A_9", ".a", ".rodata.str1.1", "9", "x" * 180])
def test_map_names_become_file_names(name: str) -> None:
    assert map_pin_name(MapPlan(name, 2, 4, 8, 1)) == name.replace(".", "-")


def test_contents_count_in_whichever_order_they_are() -> None:
    pairs = ((b"a", b"1"), (b"b", b"2"))
    one, two = (
        map_pin_name(MapPlan(".data", 1, 1, 1, 2, contents=each)) for each in (pairs, pairs[::-1])
    )
    assert one == two
    moved = MapPlan(".data", 1, 1, 1, 2, contents=((b"a", b"2"), (b"b", b"1")))
    assert map_pin_name(moved) != one


def test_the_kernel_keeps_15_characters_of_a_map_and_none_of_its_contents() -> None:
    assert kernel_map_name("a" * 20) == "a" * 15
    assert kernel_map_name("-rodata-0123456789") == ".rodata"
    assert kernel_map_name("-rodata-012345678") == ".rodata.0123456"
    assert kernel_map_name("-rodata-012345678g") == ".rodata.0123456"
    assert kernel_map_name("-a-0123456789-b") == ".a.0123456789.b"


def test_a_refusal_of_a_verdict_names_hook_and_verdict() -> None:
    with pytest.raises(UnknownVerdict, match="a verdict of xdp in run_on, got 'accept'") as caught:
        run_on_codes("xdp", ["accept"])
    assert caught.value.hint == "verdicts: aborted, drop, pass, tx, redirect"


def test_what_a_deployment_has_unless_it_is_said() -> None:
    least = Deployment(
        "a", "b/c", "sha256:00", (AttachmentSpec("f", parse_hook_target("xdp:eth0")),), 1, ()
    )
    assert (least.settings, least.policy, least.signer, least.maps) == ((), "require-key", "", ())
    assert least.accepts_unsigned is False
    assert replace(least, policy="insecure-accept-all").accepts_unsigned is True


def test_the_refusal_of_a_name_says_what_to_do() -> None:
    with pytest.raises(BadDeploymentName, match="1-63 lower-case letters") as caught:
        parse_deployment_name("A")
    assert "--name" in caught.value.hint
