"""What stays runs from the copies that were kept, and only from its own."""

from dataclasses import replace

import pytest
from tests.builders.deployments import hash_map, linked
from tests.builders.memory_nodes import NOW_TEXT, MemoryNode

from skep.chains.deployment import AttachmentSpec
from skep.chains.planning import LinkedDeployment
from skep.cli.told_warnings import warning_text
from skep.digests import Digest
from skep.hooks.identity import Binding, InterfaceIdentity
from skep.hooks.table import parse_hook_target
from skep.node.converging.kept_programs import (
    RecordDamaged,
    forget_other_copies,
    keep_again,
    kept_program,
    require_readable,
    restore_before_change,
    restore_records,
    restored,
)
from skep.node.packages import NoSuchVersion
from skep.node.records import Consent, DamagedRow, Installed

ETH0, ETH1 = parse_hook_target("xdp:eth0"), parse_hook_target("xdp:eth1")
LIMIT = linked("limit", maps=[hash_map("counts")])
FILTER = linked("filter")
BINDING = Binding("boot-1", InterfaceIdentity(1, 2), 7)


def consent(digest: str) -> Consent:
    return Consent("then", "somebody", "yes", digest, 1, (), ())


@pytest.fixture
def node() -> MemoryNode:
    return MemoryNode()


# kept_program


def test_a_program_comes_from_its_copy_and_not_from_its_package(node: MemoryNode) -> None:
    one = node.keep(LIMIT)
    moved = replace(one.deployment, order=99, reference="skep/limit:1.0.1", maps=("other",))
    found = kept_program(node.writer.services, replace(one, deployment=moved))
    assert found.program == LIMIT.program
    # As it is declared now, but for the maps, which are what the copy was linked with.
    assert found.deployment == replace(moved, maps=LIMIT.deployment.maps)
    assert node.packages.opened == []


@pytest.mark.parametrize("kept", ["", "sha256:ab"])
def test_where_none_was_kept_the_package_is_opened(node: MemoryNode, kept: str) -> None:
    one = replace(node.keep(LIMIT), kept=kept)
    assert kept_program(node.writer.services, one).deployment.name == "limit"
    assert node.packages.opened == ["skep/limit"]


def test_a_lost_copy_and_a_damaged_one_are_replaced_by_the_package(node: MemoryNode) -> None:
    one = node.keep(LIMIT)
    digest = Digest.parse(one.kept)
    node.kept.damage(digest)
    kept_program(node.writer.services, one)
    node.kept.lose(digest)
    kept_program(node.writer.services, one)
    assert node.packages.opened == ["skep/limit", "skep/limit"]
    node.packages.gone.add("skep/limit")
    with pytest.raises(NoSuchVersion):
        kept_program(node.writer.services, one)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(LIMIT.deployment, name="filter"), id="name"),
        pytest.param(replace(LIMIT.deployment, digest="sha256:" + "cd" * 32), id="package"),
        pytest.param(
            replace(LIMIT.deployment, attachments=(AttachmentSpec("filter", ETH0),)), id="program"
        ),
        pytest.param(LIMIT.deployment.with_target(ETH1), id="hook-target"),
    ],
)
def test_the_copy_of_another_deployment_is_not_run(node: MemoryNode, other: object) -> None:
    one = node.keep(replace(LIMIT, deployment=other))  # type: ignore[arg-type]
    kept_program(node.writer.services, replace(one, deployment=LIMIT.deployment))
    assert node.packages.opened == ["skep/limit"]


# Damaged records


def row(node: MemoryNode, one: LinkedDeployment = LIMIT, name: str = "limit") -> DamagedRow:
    kept = node.keep(one).kept
    agreed = consent(one.deployment.digest)
    return DamagedRow(name, "it is torn", ETH0, kept, binding=BINDING, consent=agreed)


def test_a_damaged_record_is_restored_from_its_copy(node: MemoryNode) -> None:
    damaged = row(node)
    assert restored(node.writer, damaged) == Installed(
        LIMIT.deployment, NOW_TEXT, consent=damaged.consent, binding=BINDING, kept=damaged.kept
    )


def test_consent_to_another_package_is_not_restored(node: MemoryNode) -> None:
    found = restored(node.writer, replace(row(node), consent=consent("sha256:" + "cd" * 32)))
    assert found is not None
    assert found.consent is None


def test_a_record_without_readable_consent_is_restored_without(node: MemoryNode) -> None:
    found = restored(node.writer, replace(row(node), consent=None))
    assert found is not None
    assert found.consent is None


@pytest.mark.parametrize("kept", ["", "sha256:" + "ab" * 32], ids=["never", "lost"])
def test_without_a_copy_a_record_stays_damaged(node: MemoryNode, kept: str) -> None:
    assert restored(node.writer, replace(row(node), kept=kept)) is None


def test_a_record_is_not_restored_from_the_copy_of_another(node: MemoryNode) -> None:
    assert restored(node.writer, row(node, FILTER)) is None


def test_a_copy_that_this_version_cannot_use_restores_nothing(node: MemoryNode) -> None:
    later = replace(LIMIT, deployment=replace(LIMIT.deployment, run_on=("later",)))
    assert restored(node.writer, row(node, later)) is None


def test_a_chain_with_a_damaged_record_is_refused_and_others_are_not(node: MemoryNode) -> None:
    node.commit(node.keep(LIMIT))
    node.state.damage("limit", "it is torn")
    require_readable(node.writer.services, ETH1)
    with pytest.raises(RecordDamaged, match=r"limit is damaged \(it is torn\)") as caught:
        require_readable(node.writer.services, ETH0)
    assert caught.value.hint == "skep remove limit"


def test_records_are_restored_beside_those_that_are_whole(node: MemoryNode) -> None:
    node.commit(node.keep(LIMIT), node.keep(FILTER))
    node.state.damage("limit")
    assert [row.name for row in restore_records(node.writer)] == ["limit"]
    assert {one.deployment.name for one in node.state.installed()} == {"limit", "filter"}
    assert node.state.damaged() == ()
    entry = node.state.history()[0]
    assert (entry.command, entry.outcome) == ("restore damaged records", "done")
    assert entry.steps == ("restore the record of limit from its kept copy",)
    assert entry.started_at == entry.ended_at == NOW_TEXT


def test_a_change_that_restores_a_record_warns_and_says_what_was_damaged(
    node: MemoryNode, caplog: pytest.LogCaptureFixture
) -> None:
    node.commit(node.keep(LIMIT), node.keep(FILTER))
    node.state.damage("limit", "its settings are not valid JSON")
    restore_before_change(node.writer)
    (record,) = caplog.records
    assert warning_text(record) == (
        "the record of limit was damaged: its settings are not valid JSON; it was restored from its"
        " kept copy"
    )
    restore_before_change(node.writer)
    assert len(caplog.records) == 1


def test_where_nothing_can_be_restored_nothing_is_written(node: MemoryNode) -> None:
    node.commit(replace(node.keep(LIMIT), kept=""), node.keep(FILTER))
    assert restore_records(node.writer) == ()
    node.state.damage("limit")
    assert restore_records(node.writer) == ()
    assert len(node.state.history()) == 1


# Copies


def test_a_copy_is_kept_anew_and_the_other_records_stay(node: MemoryNode) -> None:
    one, other = node.keep(LIMIT), node.keep(FILTER)
    node.commit(replace(one, kept=""), other)
    assert keep_again(node.writer, "limit") == ("made a new copy of limit",)
    found = {each.deployment.name: each for each in node.state.installed()}
    assert found["filter"] == other
    assert node.kept.kept(Digest.parse(found["limit"].kept)).deployment.name == "limit"
    entry = node.state.history()[0]
    assert (entry.command, entry.steps) == (
        "make a new copy of limit",
        ("make a new copy of limit",),
    )
    assert entry.started_at == entry.ended_at == NOW_TEXT


def test_of_what_is_not_installed_no_copy_is_kept(node: MemoryNode) -> None:
    node.commit(node.keep(FILTER))
    assert keep_again(node.writer, "limit") == ()
    assert len(node.state.history()) == 1


def test_copies_that_no_record_names_are_forgotten(node: MemoryNode) -> None:
    node.keep(linked("old"))
    node.commit(node.keep(LIMIT), node.keep(FILTER), Installed(linked("none").deployment, "then"))
    node.state.damage("filter")
    forget_other_copies(node.writer)
    assert node.copies == ["filter", "limit"]
