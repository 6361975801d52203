from dataclasses import replace

import pytest
from tests.builders.deployments import array_map, hash_map, linked, rodata

from skep.chains.fingerprints import chain_member, map_pin_name
from skep.chains.planning import (
    Chain,
    CreateMaps,
    HookOccupied,
    HookTargetHidden,
    HookTargetMissing,
    LinkedDeployment,
    MapCreation,
    MapSetting,
    Observed,
    Plan,
    RestoreMaps,
    RetireMaps,
    RunChain,
    WriteSetting,
    plan,
)
from skep.hooks.table import parse_hook_target

ETH0 = parse_hook_target("xdp:eth0")
KEY, OLD, NEW = bytes(4), b"\x01" + bytes(7), b"\x02" + bytes(7)


def running(*members: LinkedDeployment) -> Chain:
    return Chain.of([chain_member(one.deployment) for one in members])


def test_nothing_is_to_be_done_where_all_is_as_declared() -> None:
    one = linked(maps=[hash_map()])
    observed = Observed(chains={ETH0: running(one)}, maps={"limit": frozenset({"counts"})})
    assert plan([one], observed) == Plan()


def test_nothing_desired_and_nothing_there_is_nothing_to_do() -> None:
    assert plan([], Observed()) == Plan()


def test_maps_are_created_with_their_settings_before_the_chain_runs() -> None:
    one = linked(maps=[array_map()], settings=[MapSetting("config", ((KEY, NEW),))])
    create, run = plan([one], Observed()).actions
    assert isinstance(create, CreateMaps)
    assert create.maps[0].plan.contents == ((KEY, NEW),)
    assert run == RunChain(ETH0, running(one), Chain())


def test_a_newcomer_is_put_in_its_place_and_the_others_keep_their_maps() -> None:
    old = linked("old", order=20, maps=[hash_map()])
    new = linked("new", order=10)
    observed = Observed(chains={ETH0: running(old)}, maps={"old": frozenset({"counts"})})
    assert plan([old, new], observed).actions == (RunChain(ETH0, running(new, old), running(old)),)


def test_the_last_one_leaving_detaches_and_only_then_retires_its_maps() -> None:
    old = linked(maps=[hash_map()])
    observed = Observed(chains={ETH0: running(old)}, maps={"limit": frozenset({"counts"})})
    assert plan([], observed).actions == (
        RunChain(ETH0, Chain(), running(old)),
        RetireMaps("limit", ("counts",)),
    )


def test_a_changed_setting_is_written_and_the_chain_stays() -> None:
    one = linked(maps=[array_map()], settings=[MapSetting("config", ((KEY, NEW),))])
    observed = Observed(
        chains={ETH0: running(one)},
        maps={"limit": frozenset({"config"})},
        entries={("limit", "config"): {KEY: OLD}},
    )
    assert plan([one], observed).actions == (
        WriteSetting("limit", "config", ((KEY, OLD),), ((KEY, NEW),)),
    )


def test_a_set_is_written_by_difference() -> None:
    a, b, c = (bytes([i]) * 4 for i in (1, 2, 3))
    write = WriteSetting("limit", "ports", ((a, OLD), (b, OLD)), ((b, OLD), (c, OLD)))
    assert write.changed() == {c: OLD}
    assert write.gone() == (a,)
    assert write.undo().changed() == {a: OLD}


def test_changed_read_only_data_is_a_new_map_beside_the_old_one() -> None:
    before = linked(maps=[rodata(b"1111"), hash_map()])
    after = linked(maps=[rodata(b"2222"), hash_map()])
    observed = Observed(
        chains={ETH0: running(before)}, maps={"limit": frozenset(before.deployment.maps)}
    )
    create, run, retire = plan([after], observed).actions
    assert isinstance(create, CreateMaps)
    assert [m.pin for m in create.maps] == [after.deployment.maps[0]]
    assert run == RunChain(ETH0, running(after), running(before))
    assert retire == RetireMaps("limit", (before.deployment.maps[0],))


def test_a_chain_of_the_right_name_without_its_maps_is_made_anew() -> None:
    one = linked(maps=[hash_map()])
    actions = plan([one], Observed(chains={ETH0: running(one)})).actions
    assert [type(action) for action in actions] == [CreateMaps, RunChain]


def test_retired_maps_that_are_declared_come_back_with_their_content() -> None:
    one = linked(maps=[hash_map()])
    observed = Observed(retired={"limit": frozenset({"counts", "other"})})
    restore, run = plan([one], observed).actions
    assert restore == RestoreMaps("limit", ("counts",))
    assert isinstance(run, RunChain)


def test_an_unknown_chain_of_ours_is_replaced() -> None:
    one = linked()
    observed = Observed(chains={ETH0: Chain("0123456789")})
    assert plan([one], observed).actions == (RunChain(ETH0, running(one), Chain("0123456789")),)


def test_a_foreign_program_is_a_conflict_that_names_it() -> None:
    with pytest.raises(HookOccupied, match="xdp_dispatcher"):
        plan([linked()], Observed(foreign={ETH0: "program 7 (xdp_dispatcher)"}))


def test_a_foreign_program_does_not_matter_where_nothing_is_desired() -> None:
    assert plan([], Observed(foreign={ETH0: "program 7"})) == Plan()


def test_a_missing_interface_is_not_found() -> None:
    with pytest.raises(HookTargetMissing, match="eth0"):
        plan([linked()], Observed(absent={ETH0: "there is no eth0"}))


def test_undo_comes_in_reverse() -> None:
    one = linked(maps=[hash_map()])
    steps = plan([one], Observed())
    assert [type(action).__name__ for action in steps.undo().actions] == ["RunChain", "DeleteMaps"]
    assert steps.undo().undo() == steps


def test_every_action_says_in_one_line_what_it_does() -> None:
    one = linked(maps=[array_map()], settings=[MapSetting("config", ((KEY, NEW),))])
    full = plan([one], Observed(maps={"old": frozenset({"x"})}, retired={}))
    assert full.summary() == (
        "create maps of limit: config",
        "run limit on xdp:eth0",
        "retire maps of old: x",
    )
    assert full.undo().summary() == (
        "restore maps of old: x",
        "remove limit from xdp:eth0",
        "delete new maps of limit: config",
    )
    write = WriteSetting("limit", "config", ((KEY, OLD),), ((KEY, NEW), (OLD, NEW)))
    assert write.summary() == "write settings of limit into config: 2 entries"
    both = CreateMaps("limit", (MapCreation("a", array_map()), MapCreation("b", array_map())))
    assert both.summary() == "create maps of limit: a, b"
    assert both.undo().summary() == "delete new maps of limit: a, b"
    retire = RetireMaps("limit", ("a", "b"))
    assert (retire.summary(), retire.undo().summary()) == (
        "retire maps of limit: a, b",
        "restore maps of limit: a, b",
    )


def test_a_chain_is_named_by_its_members_its_fingerprint_or_nothing() -> None:
    assert str(running(linked("a"), linked("b", order=20))) == "a, b"
    assert str(Chain("0123456789")) == "chain 0123456789"
    assert str(Chain()) == "nothing"
    assert Chain.of([]) == Chain()


A, B, C = (linked(name, order=order) for order, name in enumerate("abc"))
B_CHANGED = linked("b", order=1, digest="sha256:" + "cd" * 32)
UNKNOWN = Chain("0123456789")


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (Chain(), running(A, B), "run a, b on xdp:eth0"),
        (running(A, B), Chain(), "remove a, b from xdp:eth0"),
        (running(A, B), running(A), "remove b from xdp:eth0; a stays"),
        (running(A, B, C), running(A, C), "remove b from xdp:eth0; a, c stay"),
        (running(A, C), running(A, B, C), "add b to xdp:eth0; the chain is then a → b → c"),
        (running(A, B), running(B, A), "run b, a on xdp:eth0 instead of a, b"),
        (running(A, B), running(C, A), "run c, a on xdp:eth0 instead of a, b"),
        (running(A, B), running(A, B_CHANGED), "load b on xdp:eth0 anew"),
        (running(A, B), running(A, B), "load a, b on xdp:eth0 anew"),
        (running(A), running(B), "run b on xdp:eth0 instead of a"),
        (UNKNOWN, running(A), "run a on xdp:eth0 instead of chain 0123456789"),
        (running(A), UNKNOWN, "run chain 0123456789 on xdp:eth0 instead of a"),
        (UNKNOWN, Chain(), "detach chain 0123456789 from xdp:eth0"),
        (Chain(), UNKNOWN, "run chain 0123456789 on xdp:eth0"),
    ],
)
def test_an_exchange_says_what_becomes_of_each(before: Chain, after: Chain, text: str) -> None:
    assert RunChain(ETH0, after, before).summary() == text


@pytest.mark.parametrize(
    "action",
    [
        CreateMaps("limit", (MapCreation("a", array_map()),)),
        RetireMaps("limit", ("a",)),
        RestoreMaps("limit", ("a",)),
        WriteSetting("limit", "config", ((KEY, OLD),), ((KEY, NEW),)),
        RunChain(ETH0, Chain("0123456789"), Chain()),
    ],
)
def test_undoing_twice_is_doing(action: CreateMaps | RetireMaps | RunChain) -> None:
    assert action.undo() != action
    assert action.undo().undo() == action


def test_the_undo_of_a_setting_is_in_the_same_map() -> None:
    write = WriteSetting("limit", "config", ((KEY, OLD),), ((KEY, NEW),))
    assert write.undo() == WriteSetting("limit", "config", ((KEY, NEW),), ((KEY, OLD),))


def test_types_of_maps_are_given_and_not_shown() -> None:
    one = replace(linked(maps=[hash_map()]), types=b"a table of types")
    (create, _) = plan([one], Observed()).actions
    assert isinstance(create, CreateMaps)
    assert create.maps[0].types == b"a table of types"
    assert "table" not in repr(create)


def test_maps_without_settings_are_created_as_they_are() -> None:
    one = linked(maps=[hash_map(), rodata()], settings=[MapSetting("config", ())])
    create = plan([one], Observed()).actions[0]
    assert isinstance(create, CreateMaps)
    assert {creation.plan.name: creation.plan for creation in create.maps} == {
        "counts": hash_map(),
        ".rodata": rodata(),
    }


def test_a_setting_is_written_over_the_contents_and_a_whole_one_instead_of_them() -> None:
    contents = ((KEY, OLD), (b"\x09" * 4, OLD))
    filled = replace(array_map(), contents=contents)
    first = b"\x01" * 4
    for whole, expected in (
        (False, ((KEY, NEW), (first, NEW), contents[1])),
        (True, ((KEY, NEW), (first, NEW))),
    ):
        setting = MapSetting(map_pin_name(filled), ((first, NEW), (KEY, NEW)), whole=whole)
        create = plan([linked(maps=[filled], settings=[setting])], Observed()).actions[0]
        assert isinstance(create, CreateMaps)
        assert create.maps[0].plan.contents == expected
    assert MapSetting("config", ()).whole is False


def test_entries_are_compared_and_written_in_order() -> None:
    a, b = b"\x01" * 4, b"\x02" * 4
    one = linked(
        maps=[hash_map()], settings=[MapSetting("counts", ((b, NEW), (a, NEW)), whole=True)]
    )
    there = Observed(chains={ETH0: running(one)}, maps={"limit": frozenset({"counts"})})
    same = replace(there, entries={("limit", "counts"): {b: NEW, a: NEW}})
    assert plan([one], same) == Plan()
    other = replace(there, entries={("limit", "counts"): {b: OLD, a: NEW}})
    assert plan([one], other).actions == (
        WriteSetting("limit", "counts", ((a, NEW), (b, OLD)), ((a, NEW), (b, NEW))),
    )
    # What could not be read is written.
    assert plan([one], there).actions == (
        WriteSetting("limit", "counts", (), ((a, NEW), (b, NEW))),
    )


def test_steps_come_in_the_order_of_names_whatever_the_order_of_wishes() -> None:
    ones = [
        linked(name, on=f"xdp:{name}", maps=[hash_map("x"), hash_map("a")])
        for name in ("c", "a", "e", "b", "d")
    ]
    observed = Observed(
        maps={name: frozenset({"q", "p", "r"}) for name in ("z", "y", "x")},
        retired={"b": frozenset({"x", "a"})},
    )
    actions = plan(ones, observed).actions
    assert actions[0] == RestoreMaps("b", ("a", "x"))
    creates = [each for each in actions if isinstance(each, CreateMaps)]
    assert [each.deployment for each in creates] == ["a", "c", "d", "e"]
    assert all([creation.pin for creation in each.maps] == ["a", "x"] for each in creates)
    runs = [each for each in actions if isinstance(each, RunChain)]
    assert [str(each.on) for each in runs] == [f"xdp:{name}" for name in "abcde"]
    assert actions[-3:] == tuple(RetireMaps(name, ("p", "q", "r")) for name in "xyz")


def test_the_first_hook_target_that_cannot_be_had_is_told() -> None:
    ones = [linked(name, on=f"xdp:{name}") for name in ("c", "a", "b")]
    absent = {one.deployment.on: f"there is no {one.deployment.on}" for one in ones}
    with pytest.raises(HookTargetMissing, match="there is no xdp:a"):
        plan(ones, Observed(absent=absent))


def test_a_hidden_hook_target_is_told_with_where_to_go() -> None:
    with pytest.raises(HookTargetHidden, match="xdp:eth0 is not visible from here") as caught:
        plan([linked()], Observed(hidden=frozenset({ETH0})))
    assert "nsenter" in caught.value.hint


def test_only_the_chain_whose_maps_are_new_is_made_anew() -> None:
    one = linked("one", maps=[hash_map()])
    other = linked("other", on="xdp:eth1", maps=[hash_map()])
    eth1 = other.deployment.on
    chains = {ETH0: running(one), eth1: running(other)}
    observed = Observed(chains=chains, maps={"other": frozenset({"counts"})})
    assert [
        each.on for each in plan([one, other], observed).actions if isinstance(each, RunChain)
    ] == [ETH0]


def test_maps_that_come_back_make_no_chain_anew() -> None:
    one = linked(maps=[hash_map()])
    observed = Observed(chains={ETH0: running(one)}, retired={"limit": frozenset({"counts"})})
    assert plan([one], observed).actions == (RestoreMaps("limit", ("counts",)),)
