"""Linking a deployment with its settings, on compiled fixtures; a live node tests opening."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.builders.deployments import deployment
from tests.builders.objects import fixture, fixture_bytes
from tests.builders.packages import put_package
from tests.builders.published import make_package, object_bytes, toml
from tests.builders.trust import signer

from skep.chains.deployment import Deployment
from skep.digests import Digest
from skep.hooks.table import HookTarget
from skep.node.labels import consent_label, package_labels
from skep.node.packages import NoSuchVersion
from skep.node.verified.shelf import Shelf, link_deployment
from skep.node.verified.trust_store import TrustStore
from skep.packages.content import PackageContent
from skep.packages.errors import (
    UnknownProgram,
    UnknownSetting,
    UnusableSetting,
    WrongContent,
    WrongSetting,
)
from skep.packages.local.bundles import store_bundle
from skep.packages.local.content_store import ContentStore
from skep.packages.opening import open_package
from skep.packages.references import parse_reference
from skep.packages.tags import AmbiguousReference
from skep.trust.bundles import sign
from skep.trust.errors import UnknownKey
from skep.trust.statements import Subject

PROGRAM = fixture("maps").programs[0].name
HASHES = [m.name for m in fixture("maps").maps if m.map_type == 1]
ARRAYS = [m.name for m in fixture("maps").maps if m.map_type == 2 and m.origin == "btf"]


def content(more: str = "", *, name: str = "maps", program: str = PROGRAM) -> PackageContent:
    built = make_package(
        toml(program=program, more=more), objects={f"{name}.o": fixture_bytes(name)}
    )
    return open_package(built.manifest_data, built.blobs.__getitem__)


def asked(program: str = PROGRAM, **settings: str) -> Deployment:
    return deployment("limit", program=program, order=1, settings=tuple(sorted(settings.items())))


def test_the_label_of_a_package_is_the_union_of_its_objects() -> None:
    drops = make_package(
        toml(),
        objects={"a.o": object_bytes(), "b.o": object_bytes(helper=26), "c.o": object_bytes()},
    )
    made = open_package(drops.manifest_data, drops.blobs.__getitem__)
    label = consent_label(package_labels(made))
    keys = [(each.id, each.scope) for each in label.shown]
    assert {identity for identity, _ in keys} >= {"net.drop", "net.read"}
    assert len(keys) == len(set(keys))
    assert label.package == label.shown
    assert label.taxonomy >= 1


def test_a_linked_deployment_knows_its_maps() -> None:
    linked = link_deployment(content(), asked())
    assert len(linked.deployment.maps) == len(linked.maps)
    assert linked.program.name == PROGRAM


def test_an_unknown_program_is_told() -> None:
    with pytest.raises(UnknownProgram):
        link_deployment(content(), asked("nothing"))


def test_a_program_no_object_has_is_the_publishers_mistake() -> None:
    with pytest.raises(UnknownProgram, match="no object"):
        link_deployment(content(program="nothing"), asked("nothing"))


def test_unknown_settings_are_told() -> None:
    with pytest.raises(UnknownSetting):
        link_deployment(content(), asked(colour="red"))


def test_a_setting_for_no_map_is_the_publishers_mistake() -> None:
    more = '[settings.x]\ntype = "u32"\nmap = "no_such_map"\ndefault = "1"\n'
    with pytest.raises(UnusableSetting, match="no_such_map"):
        link_deployment(content(more), asked())


def test_two_settings_for_one_entry_are_the_publishers_mistake() -> None:
    name = (ARRAYS or HASHES)[0]
    one = f'type = "u8"\nmap = "{name}"\ndefault = "1"\n'
    with pytest.raises(UnusableSetting):
        link_deployment(content(f"[settings.x]\n{one}[settings.y]\n{one}"), asked())


def data_setting() -> tuple[str, int]:
    variable = next(v for v in fixture("data").variables if v.size in {1, 2, 4, 8})
    return variable.name, variable.size


def test_a_variable_makes_another_map_and_the_same_value_the_same_map() -> None:
    name, _ = data_setting()
    program = fixture("data").programs[0].name
    more = f'[settings.x]\ntype = "u8"\nglobal = "{name}"\n'
    package = content(more, name="data", program=program)
    one = link_deployment(package, asked(program, x="1")).deployment.maps
    two = link_deployment(package, asked(program, x="2")).deployment.maps
    assert one != two
    assert one == link_deployment(package, asked(program, x="1")).deployment.maps


def test_a_value_that_does_not_fit_is_told() -> None:
    name, _ = data_setting()
    program = fixture("data").programs[0].name
    package = content(
        f'[settings.x]\ntype = "u8"\nglobal = "{name}"\n', name="data", program=program
    )
    with pytest.raises(WrongSetting):
        link_deployment(package, asked(program, x="256"))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(
        ContentStore(tmp_path / "content"),
        TrustStore(tmp_path / "trust"),
        lambda: datetime(2026, 11, 23, tzinfo=UTC),
    )


def test_a_reference_without_version_is_the_latest_release(shelf: Shelf) -> None:
    digests = {}
    for version in ("1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1"):
        built = make_package(toml(version=version))
        put_package(shelf.content, built)
        digests[version] = built.manifest.digest
    assert shelf.resolve(parse_reference("acme/counting")) == digests["1.10.0"]
    assert shelf.resolve(parse_reference("acme/counting:1.9.0")) == digests["1.9.0"]
    known = Digest.of(b"x")
    assert shelf.resolve(parse_reference(f"acme/counting@{known}")) == known


def test_a_package_that_was_not_pulled_is_not_found(shelf: Shelf) -> None:
    with pytest.raises(NoSuchVersion, match="acme/counting"):
        shelf.resolve(parse_reference("acme/counting"))


def test_content_of_two_places_is_not_chosen_between(shelf: Shelf) -> None:
    one, other = make_package(), make_package(readme=b"# Another one\n")
    put_package(shelf.content, one, "a.example/acme/counting:1.0.0")
    assert shelf.resolve(parse_reference("acme/counting")) == one.manifest.digest
    put_package(shelf.content, other, "b.example/acme/counting:1.0.0")
    with pytest.raises(AmbiguousReference):
        shelf.resolve(parse_reference("acme/counting"))
    assert shelf.resolve(parse_reference("b.example/acme/counting")) == other.manifest.digest


def test_a_publisher_is_its_key_whatever_the_marketplace(shelf: Shelf) -> None:
    """Dependency confusion: another marketplace's ``acme`` is a stranger here."""
    shelf.trust.add("acme", signer().public_key)
    good, evil = make_package(), make_package(readme=b"# Another one\n")
    for host, package, by in (("good", good, "publisher"), ("evil", evil, "stranger")):
        descriptor = put_package(shelf.content, package, f"{host}.example/acme/counting:1.0.0")
        bundle = sign(Subject("acme/counting", descriptor.digest), signer(by))
        store_bundle(shelf.content, descriptor, bundle)
    opened = shelf.open(parse_reference("good.example/acme/counting"), None, "require-key")
    assert opened.evidence.fingerprint == signer().public_key.fingerprint
    with pytest.raises(UnknownKey, match="not trusted here for acme") as caught:
        shelf.open(parse_reference("evil.example/acme/counting"), None, "require-key")
    assert "skep keys trust acme --from evil.example" in caught.value.hint


def test_the_digest_of_another_package_is_refused_whoever_signed_it(shelf: Shelf) -> None:
    shelf.trust.add("acme", signer().public_key)
    descriptor = put_package(shelf.content, make_package(toml("acme/other")))
    store_bundle(
        shelf.content, descriptor, sign(Subject("acme/other", descriptor.digest), signer())
    )
    reference = parse_reference(f"acme/counting@{descriptor.digest}")
    with pytest.raises(WrongContent, match=r"acme/counting.*acme/other"):
        shelf.open(reference, None, "require-key")


def test_hook_targets_keep_their_program_type() -> None:
    assert asked().on == HookTarget("xdp", "eth0")
    assert link_deployment(content(), asked()).program.program_type == 6
