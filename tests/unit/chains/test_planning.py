import pytest
from tests.builders.deployments import array_map, hash_map, linked, rodata

from skep.chains.fingerprints import chain_member
from skep.chains.planning import (
    Chain,
    CreateMaps,
    HookOccupied,
    HookTargetMissing,
    LinkedDeployment,
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
    for line in (*full.summary(), *full.undo().summary()):
        assert line
        assert "\n" not in line
