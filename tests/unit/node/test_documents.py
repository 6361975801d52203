"""Documents of node values are what docs/reference/json.md says, without a kernel or a command."""

from tests.builders.documented import assert_documented
from tests.builders.nodes import YES, FakeNode, request

from skep.chains.ordering import Before
from skep.hooks.table import parse_hook_target
from skep.node.converging.doctoring import examine
from skep.node.converging.documents import findings_document
from skep.node.deploying.documents import (
    install_document,
    move_document,
    remove_document,
    set_document,
)
from skep.node.deploying.installing import install
from skep.node.deploying.moving import move
from skep.node.deploying.removing import remove
from skep.node.deploying.setting import change_settings
from skep.node.looking.documents import Counted, chains_document, list_document
from skep.node.looking.listing import list_chains, list_installed
from skep.node.looking.standing import Newer, Standing
from skep.node.occupants import Occupant
from skep.node.records import DamagedRow


class NoPlaygrounds:
    def left_behind(self) -> tuple[str, ...]:
        return ()

    def clear(self, name: str) -> tuple[str, ...]:
        raise AssertionError(name)


def test_changes_are_documented(node: FakeNode) -> None:
    report = install(node.writer(), request("acme/limit"))
    document = install_document(report, [Occupant(7, "", is_ours=True)])
    assert_documented(document)
    assert document["package"] == "acme/limit:1.0.0"
    assert document["origin"] == ""
    assert document["chain"] == ["limit"]
    node.install("acme/filter")
    moved = move(node.writer(), "filter", Before("limit"), YES)
    assert_documented(move_document(moved))
    set_again = change_settings(node.writer(), "limit", {"rate": "8"}, YES)
    assert_documented(set_document(set_again))
    assert_documented(remove_document(remove(node.writer(), "limit")))


def test_lists_and_chains_are_documented(node: FakeNode) -> None:
    node.install("acme/limit")
    node.state.begin("install", [], "2026-11-23T08:00:00Z")
    damaged = DamagedRow("broken", "no JSON", parse_hook_target("xdp:eth0"), "", None)
    newer = Newer("1.1.0", "market.example", "2026-11-30T08:00:00Z")
    (one,) = list_installed(node.state, node.kernel)
    for standing in (Standing(), Standing("distrusted", {"rate": "9"}, newer)):
        document = list_document([(one, standing)], [damaged], node.state.unfinished())
        assert_documented(document)
    assert document["interrupted"] == ["install"]
    counters = {"limit": Counted({"dropped": 7, "lost": None})}
    chains = chains_document((view, counters) for view in list_chains(node.state, node.kernel))
    assert_documented(chains)
    assert "'dropped': 7" in str(chains)


def test_findings_are_documented(node: FakeNode) -> None:
    node.state.begin("install", [], "2026-11-23T08:00:00Z")
    found = examine(node.services(), NoPlaygrounds())
    assert found
    assert_documented(findings_document(found))
