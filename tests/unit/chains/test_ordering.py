import pytest
from tests.builders.deployments import deployment

from skep.chains.deployment import Deployment
from skep.chains.ordering import (
    LARGEST,
    After,
    At,
    BadOrder,
    Before,
    Last,
    NoSuchNeighbour,
    in_order,
    parse_placement,
    place,
)
from skep.hooks.table import parse_hook_target

ETH0 = parse_hook_target("xdp:eth0")
A, B = deployment("a", order=10), deployment("b", order=20)
NEW = deployment("new", order=0)


@pytest.mark.parametrize(
    ("placement", "names"),
    [
        (Last(), ["a", "b", "new"]),
        (Before("a"), ["new", "a", "b"]),
        (Before("b"), ["a", "new", "b"]),
        (After("a"), ["a", "new", "b"]),
        (After("b"), ["a", "b", "new"]),
        (At(15), ["a", "new", "b"]),
        (At(20), ["a", "b", "new"]),
    ],
)
def test_a_newcomer_goes_where_it_was_sent(placement: object, names: list[str]) -> None:
    placed = place([A, B], NEW, placement)  # type: ignore[arg-type]
    assert [d.name for d in in_order(placed, ETH0)] == names


def test_neighbours_keep_their_numbers_where_there_is_a_gap() -> None:
    placed = {d.name: d.order for d in place([A, B], NEW, Before("b"))}
    assert placed == {"a": 10, "b": 20, "new": 15}


def test_all_are_numbered_anew_where_there_is_none() -> None:
    tight = [deployment("a", order=1), deployment("b", order=2)]
    placed = {d.name: d.order for d in place(tight, NEW, Before("b"))}
    assert placed == {"a": 10, "new": 20, "b": 30}


def test_the_end_of_numbers_is_not_the_end_of_places() -> None:
    placed = place([deployment("a", order=LARGEST)], NEW, Last())
    assert [(d.name, d.order) for d in in_order(placed, ETH0)] == [("a", 10), ("new", 20)]


def test_many_newcomers_at_the_front_keep_the_sequence() -> None:
    chain: tuple[Deployment, ...] = (A,)
    for i in range(20):
        chain = place(chain, deployment(f"n{i}"), Before(in_order(chain, ETH0)[0].name))
    assert [d.name for d in in_order(chain, ETH0)] == [f"n{i}" for i in range(19, -1, -1)] + ["a"]


def test_moving_replaces_the_old_place() -> None:
    placed = place([A, B], A, After("b"))
    assert [d.name for d in in_order(placed, ETH0)] == ["b", "a"]


def test_other_hook_targets_are_left_alone() -> None:
    other = deployment("c", on="xdp:eth1", order=1)
    assert other in place([A, other], NEW, Before("a"))


@pytest.mark.parametrize("placement", [Before("nobody"), After("nobody"), Before("c")])
def test_a_neighbour_must_be_on_the_same_hook_target(placement: Before | After) -> None:
    with pytest.raises(NoSuchNeighbour, match="xdp:eth0"):
        place([A, deployment("c", on="xdp:eth1")], NEW, placement)


def test_nobody_is_its_own_neighbour() -> None:
    with pytest.raises(BadOrder):
        place([A, B], A, Before("a"))


@pytest.mark.parametrize(
    "options",
    [
        {"before": "a", "after": "b"},
        {"before": "a", "order": 1},
        {"order": -1},
        {"order": LARGEST + 1},
    ],
)
def test_impossible_places_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(BadOrder):
        parse_placement(**options)  # type: ignore[arg-type]


def test_options_that_exclude_each_other_are_named_as_they_are_typed() -> None:
    with pytest.raises(BadOrder, match=r"^give only one of --before, --after and --order$"):
        parse_placement(before="a", after="b")
