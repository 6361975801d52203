"""What every keeper of linked deployments promises: the files, and the fake."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.builders.deployments import array_map, hash_map, linked, rodata
from tests.builders.objects import fixture
from tests.fakes.kept import FakeKept

from skep.bytecode.analysis.analysing import analyse
from skep.chains.planning import MapSetting
from skep.digests import Digest
from skep.errors import Malformed, NotFound, Untrusted
from skep.node.kept_ports import Kept, KeptDamaged, KeptLost
from skep.node.store.kept import KeptFiles

ONE = linked(
    maps=[array_map(), hash_map(), rodata()],
    settings=[MapSetting("config", ((bytes(4), bytes(8)),), whole=True)],
)
OTHER = linked("other", order=20)


@dataclass(frozen=True)
class Port:
    """A keeper, and what can happen to its copies."""

    kept: Kept
    lose: Callable[[Digest], None]
    damage: Callable[[Digest], None]


@pytest.fixture(params=["files", "fake"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Port:
    if request.param == "fake":
        fake = FakeKept()
        return Port(fake, fake.lose, fake.damage)
    directory = tmp_path / "kept"

    def path(digest: Digest) -> Path:
        return directory / f"{digest.hexadecimal}.json"

    def damage(digest: Digest) -> None:
        path(digest).write_bytes(path(digest).read_bytes()[:-1] + b" ")

    return Port(KeptFiles(directory), lambda digest: path(digest).unlink(), damage)


def test_what_is_kept_is_found_by_its_digest(port: Port) -> None:
    one, other = port.kept.keep(ONE), port.kept.keep(OTHER)
    assert one != other
    assert port.kept.kept(one) == ONE
    assert port.kept.kept(other) == OTHER


def test_keeping_twice_is_keeping_once(port: Port) -> None:
    assert port.kept.keep(ONE) == port.kept.keep(ONE)
    assert port.kept.kept(port.kept.keep(ONE)) == ONE


def test_the_label_is_not_kept_and_makes_no_other_digest(port: Port) -> None:
    labelled = replace(ONE, label=analyse(fixture("pass")))
    assert port.kept.keep(labelled) == port.kept.keep(ONE)
    assert port.kept.kept(port.kept.keep(labelled)) == ONE


def test_what_was_never_kept_is_lost(port: Port) -> None:
    with pytest.raises(KeptLost) as raised:
        port.kept.kept(Digest.of(b"never"))
    assert isinstance(raised.value, NotFound)


def test_a_lost_copy_is_lost_and_no_other(port: Port) -> None:
    one, other = port.kept.keep(ONE), port.kept.keep(OTHER)
    port.lose(one)
    with pytest.raises(KeptLost):
        port.kept.kept(one)
    assert port.kept.kept(other) == OTHER


def test_a_damaged_copy_is_not_trusted_and_no_other_suffers(port: Port) -> None:
    one, other = port.kept.keep(ONE), port.kept.keep(OTHER)
    port.damage(one)
    with pytest.raises(KeptDamaged) as raised:
        port.kept.kept(one)
    assert isinstance(raised.value, Untrusted)
    assert port.kept.kept(other) == OTHER


@pytest.mark.parametrize("happens", ["lose", "damage"])
def test_keeping_again_repairs(port: Port, happens: str) -> None:
    digest = port.kept.keep(ONE)
    {"lose": port.lose, "damage": port.damage}[happens](digest)
    assert port.kept.keep(ONE) == digest
    assert port.kept.kept(digest) == ONE


def test_forgetting_removes_what_is_not_named(port: Port) -> None:
    one, other = port.kept.keep(ONE), port.kept.keep(OTHER)
    port.kept.forget_except([other, Digest.of(b"never")])
    with pytest.raises(KeptLost):
        port.kept.kept(one)
    assert port.kept.kept(other) == OTHER


def test_forgetting_removes_damaged_copies_and_is_nothing_where_nothing_is(port: Port) -> None:
    port.kept.forget_except([])
    digest = port.kept.keep(ONE)
    port.damage(digest)
    port.kept.forget_except([])
    port.kept.forget_except([])
    with pytest.raises(KeptLost):
        port.kept.kept(digest)


def test_what_no_copy_can_carry_is_refused_and_nothing_is_kept(port: Port) -> None:
    with pytest.raises(Malformed):
        port.kept.keep(replace(ONE, maps=(replace(hash_map(), flags=1 << 32),)))
    with pytest.raises(Malformed):
        port.kept.keep(replace(ONE, deployment=replace(ONE.deployment, reference="\ud800")))
