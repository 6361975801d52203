"""The command that is printed gives back what was there."""

import shlex
from dataclasses import replace

import pytest
from tests.builders.deployments import DIGEST, deployment

from skep.chains.ordering import After, At, Before, Placement, in_order, place
from skep.hooks.identity import InterfaceIdentity, Place
from skep.hooks.table import parse_hook_target
from skep.node.deploying.undoing import install_words, undo_commands
from skep.node.looking.locating import Spot

ETH0 = parse_hook_target("xdp:eth0")
LIMIT, FILTER = deployment("limit", order=10), deployment("filter", order=20)
ETH0_IDENTITY = InterfaceIdentity(1, 2)


def test_what_is_new_is_removed() -> None:
    assert undo_commands([FILTER], [FILTER, LIMIT], subject="limit") == ("skep remove limit",)


def test_what_is_gone_is_installed_with_digest_settings_and_place() -> None:
    gone = deployment("limit", order=7, settings=(("ports", "80, 443"), ("rate", "5/s")))
    (command,) = undo_commands([gone, FILTER], [FILTER])
    assert shlex.split(command) == [
        "skep", "install", f"skep/limit:1.0.0@{DIGEST}", "--on", "xdp:eth0",
        "--program", "limit", "--set", "ports=80, 443", "--set", "rate=5/s", "--order", "7",
    ]  # fmt: skip


def test_a_name_of_its_own_and_a_waived_signature_are_said_again() -> None:
    words = install_words(replace(LIMIT, name="second", policy="insecure-accept-all"))
    assert words[words.index("--name") + 1] == "second"
    assert words[-1] == "--insecure-accept-unsigned"


def test_a_place_of_a_marketplace_stays_in_the_reference() -> None:
    there = replace(LIMIT, reference="market.example/skep/limit:1.0.0")
    assert install_words(there)[2] == f"market.example/skep/limit:1.0.0@{DIGEST}"


def test_the_host_is_named_from_inside_another_namespace() -> None:
    assert "xdp:eth0@host" in install_words(LIMIT, here="blue")


def test_what_ran_on_a_renamed_interface_is_installed_under_its_name_of_now() -> None:
    moved = Place(ETH0_IDENTITY, parse_hook_target("xdp:wan0"))
    spot = Spot(ETH0, "here", moved, named=None)
    (command,) = undo_commands([LIMIT], [], spots={ETH0: spot})
    assert "--on xdp:wan0 " in command


def test_nothing_is_installed_again_on_an_interface_that_is_gone() -> None:
    assert undo_commands([LIMIT], [], spots={ETH0: Spot(ETH0, "waiting")}) == ()


def test_everything_that_is_gone_is_installed_in_the_order_of_its_chain() -> None:
    commands = undo_commands([LIMIT, FILTER], [])
    assert [shlex.split(each)[2].partition(":")[0] for each in commands] == [
        "skep/limit", "skep/filter",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "command"),
    [
        ({"rate": "5/s"}, {"rate": "7/s"}, "skep set limit rate=5/s"),
        ({"rate": "5/s"}, {}, "skep set limit rate=5/s"),
        ({"ports": "80, 443"}, {"ports": "80"}, "skep set limit 'ports=80, 443'"),
        ({"ports": "80"}, {"ports": "80", "rate": "7/s"}, "skep set limit --reset rate"),
        ({"ports": "80"}, {"rate": "7/s"}, "skep set limit ports=80 --reset rate"),
    ],
)
def test_settings_get_what_was_chosen_or_nothing(
    before: dict[str, str], after: dict[str, str], command: str
) -> None:
    old = replace(LIMIT, settings=tuple(before.items()))
    new = replace(LIMIT, settings=tuple(after.items()))
    assert undo_commands([old], [new], subject="limit") == (command,)


MOVES: list[tuple[str, Placement]] = [
    (name, placement)
    for name in ("limit", "filter", "last")
    for placement in (At(1), At(99), At(20), Before("filter"), After("last"))
    if isinstance(placement, At) or placement.name != name
]


@pytest.mark.parametrize(("name", "placement"), MOVES, ids=str)
@pytest.mark.parametrize("gap", [1, 10])
def test_a_move_goes_back(name: str, placement: Placement, gap: int) -> None:
    chain = [
        deployment(each, order=gap * (number + 1))
        for number, each in enumerate(("limit", "filter", "last"))
    ]
    subject = next(each for each in chain if each.name == name)
    moved = place(chain, subject, placement)
    commands = undo_commands(chain, moved, subject=name)
    sequence = [each.name for each in in_order(chain, ETH0)]
    if not commands:
        assert [each.name for each in in_order(moved, ETH0)] == sequence
        return
    (words,) = map(shlex.split, commands)
    assert words[:3] == ["skep", "move", name]
    back: dict[str, Placement] = {
        "--before": Before(words[4]),
        "--after": After(words[4]),
        "--order": At(int(words[4]) if words[3] == "--order" else 0),
    }
    there = next(each for each in moved if each.name == name)
    returned = place(moved, there, back[words[3]])
    assert [each.name for each in in_order(returned, ETH0)] == sequence


def test_what_does_not_change_needs_no_command() -> None:
    assert undo_commands([LIMIT], [LIMIT], subject="limit") == ()
