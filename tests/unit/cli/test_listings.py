"""Chains and deployments in words."""

from dataclasses import replace

from tests.builders.deployments import deployment

from skep.cli.listings import chain_heading, chain_remarks
from skep.hooks.identity import InterfaceIdentity, Place
from skep.hooks.target import HookTarget
from skep.node.looking.listing import ChainView, Listed
from skep.node.looking.locating import Spot
from skep.node.occupants import Occupant
from skep.node.ports import PinnedLink
from skep.node.records import Installed

ON = HookTarget("hook", "eth0")
PLACE = Place(InterfaceIdentity(1, 2), ON)
ONE = Installed(deployment(), "2026-11-23T08:00:00Z")
LISTED = Listed(ONE, "running")
EMPTY = ChainView(ON, (), "not running", "", "", Spot(ON, "here", PLACE))
LINK = PinnedLink("hook_1", "hook", 1, PLACE, is_attached=True, program_name="skep_454aa5357d")


def test_a_hook_without_a_chain_has_no_program_of_ours() -> None:
    assert chain_heading(EMPTY) == "no Skep programs attached"


def test_an_undeclared_chain_is_named() -> None:
    spot = Spot(ON, "here", PLACE, LINK)
    undeclared = replace(EMPTY, condition="undeclared", running="454aa5357d", spot=spot)
    assert chain_heading(undeclared) == "runs skep_454aa5357d, which no deployment declares"


def test_a_renamed_target_is_told() -> None:
    spot = Spot(ON, "here", Place(PLACE.identity, HookTarget("hook", "wan0")), LINK)
    assert chain_heading(replace(EMPTY, members=(ONE,), condition="running", spot=spot)) == (
        "running  (called hook:wan0 now)"
    )


def test_programs_of_others_are_named_where_none_is_ours() -> None:
    there = (Occupant(570, "classify", is_ours=False),)
    assert chain_remarks(replace(EMPTY, occupants=there)) == [
        "program 570 (classify), which Skep did not attach"
    ]


def test_the_mode_is_told_before_the_neighbours() -> None:
    there = (Occupant(570, "", is_ours=False), Occupant(571, "skep_1", is_ours=True))
    view = replace(EMPTY, condition="running", remark="generic mode", occupants=there)
    assert chain_remarks(view) == [
        "generic mode",
        "runs after program 570, which may decide first",
    ]
