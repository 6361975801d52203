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


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Last()),
        ({"before": "a"}, Before("a")),
        ({"after": "a"}, After("a")),
        ({"order": 0}, At(0)),
        ({"order": 1_000_000_000}, At(1_000_000_000)),
    ],
)
def test_a_place_is_what_the_option_says(options: dict[str, object], expected: object) -> None:
    assert parse_placement(**options) == expected  # type: ignore[arg-type]


def test_an_order_out_of_range_is_told_with_the_range() -> None:
    with pytest.raises(BadOrder, match="an order from 0 to 1000000000, got 1000000001"):
        parse_placement(order=1_000_000_001)


def test_the_first_is_number_ten_and_each_later_one_ten_more() -> None:
    chain = place([], NEW, Last())
    assert [d.order for d in chain] == [10]
    assert [d.order for d in place(chain, A, Last())] == [10, 20]


def test_the_largest_number_is_used_and_none_beyond() -> None:
    at_end = place([deployment("a", order=LARGEST - 10)], NEW, Last())
    assert [d.order for d in at_end] == [LARGEST - 10, LARGEST]
    beyond = place([deployment("a", order=LARGEST - 9)], NEW, Last())
    assert [d.order for d in beyond] == [10, 20]


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(1, 3, [1, 2, 3]), (0, 1, [10, 20, 30]), (5, 5, [10, 20, 30])]
)
def test_between_two_is_their_middle_if_there_is_one(
    low: int, high: int, expected: list[int]
) -> None:
    chain = [deployment("a", order=low), deployment("b", order=high)]
    assert [d.order for d in place(chain, NEW, After("a"))] == expected


@pytest.mark.parametrize(("first", "expected"), [(1, [0, 1]), (0, [10, 20]), (10, [4, 10])])
def test_before_the_first_there_is_room_down_to_zero(first: int, expected: list[int]) -> None:
    placed = place([deployment("a", order=first)], NEW, Before("a"))
    assert [(d.name, d.order) for d in placed] == list(zip(("new", "a"), expected, strict=True))


def test_equal_numbers_run_by_name() -> None:
    same = [deployment(name, order=5) for name in ("c", "a", "b")]
    assert [d.name for d in in_order(same, ETH0)] == ["a", "b", "c"]


def test_a_place_by_number_keeps_every_other_number() -> None:
    other = deployment("c", on="xdp:eth1", order=1)
    placed = place([B, other, A], NEW, At(15))
    assert [(d.name, d.order) for d in placed] == [("c", 1), ("a", 10), ("new", 15), ("b", 20)]


def test_a_neighbour_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(NoSuchNeighbour, match="no deployment 'x' on xdp:eth0") as caught:
        place([A, B], NEW, After("x"))
    assert caught.value.hint == "deployments there: a, b"
    with pytest.raises(NoSuchNeighbour) as caught:
        place([], NEW, After("x"))
    assert caught.value.hint == "deployments there: none"


def test_its_own_neighbour_is_told_by_name() -> None:
    for placement in (Before("a"), After("a")):
        with pytest.raises(BadOrder, match="'a' cannot go before or after itself"):
            place([A, B], A, placement)
