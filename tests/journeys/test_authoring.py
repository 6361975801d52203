"""An author builds, signs, looks before publishing, publishes, and does it all again."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders.commands import Skep
from tests.builders.projects import write_project
from tests.fakes.registry import FakeRegistry, running_fake_registry

from skep.trust.keys import PublicKey

PROGRAMS = Path(__file__).resolve().parents[2] / "bpf" / "programs"


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Skep:
    """Somebody with a key ``author``."""
    folder = tmp_path_factory.mktemp("authoring")
    skep = Skep(folder / "root")
    skep.ok("keys", "create", "author")
    return skep


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with a copy of port-filter."""
    return Path(shutil.copytree(PROGRAMS / "port-filter", tmp_path / "port-filter"))


@pytest.fixture
def counting() -> Iterator[FakeRegistry]:
    """A marketplace that notes every request."""
    with running_fake_registry() as registry:
        yield registry


def key_of(author: Skep) -> PublicKey:
    return PublicKey.from_pem((author.root / "keys" / "author.pub").read_bytes())


def writes(registry: FakeRegistry) -> list[tuple[str, str]]:
    return [each for each in registry.requests if each[0] not in {"GET", "HEAD"}]


def test_the_same_build_and_the_same_signature_are_unchanged(author: Skep, project: Path) -> None:
    first = author.ok("build", project, "--json").document
    again = author.ok("build", project)
    assert first["changed"] is True
    assert again.out.startswith(f"unchanged: skep/port-filter:1.0.0  {str(first['digest'])[7:19]}")
    signed = author.ok("sign", project, "--key", "author", "--json").document
    assert signed["changed"] is True
    again = author.ok("sign", project, "--key", "author")
    assert again.out.startswith("unchanged: skep/port-filter:1.0.0")
    layout = Path(str(first["layout"]))
    before = sorted(path.name for path in layout.rglob("*"))
    author.ok("sign", project, "--key", "author")
    assert sorted(path.name for path in layout.rglob("*")) == before


def test_a_dry_run_writes_nothing_and_says_what_would_be_pushed(
    author: Skep, project: Path, counting: FakeRegistry
) -> None:
    counting.register("skep", key_of(author))
    skep = Skep(author.root, counting.url)
    skep.ok("build", project)
    skep.ok("sign", project, "--key", "author")
    ran = skep.ok("publish", "--dry-run", project)
    assert ran.out.startswith("would publish skep/port-filter:1.0.0  ")
    assert "dry run: nothing was pushed" in ran.out
    document = skep.ok("publish", "--dry-run", project, "--json").document
    assert (document["step"], document["obstacle"]) == ("publish", None)
    assert counting.requests
    assert writes(counting) == []
    assert not counting.blobs

    skep.ok("publish", project)
    uploads = {each["digest"] for each in _list(document, "uploads")}
    pushed = {path.rpartition("/")[2] for _, path in counting.requests if "/manifests/" in path}
    assert uploads >= {str(digest) for _, digest in counting.visible}
    assert pushed & uploads
    assert {digest for _, digest in counting.blobs} - uploads <= _config_and_bundles(counting)

    counting.requests.clear()
    again = skep.ok("publish", project)
    assert again.out.startswith("unchanged: skep/port-filter:1.0.0")
    assert writes(counting) == []
    assert skep.ok("publish", "--dry-run", project).out.startswith("unchanged:")


def _config_and_bundles(registry: FakeRegistry) -> set[str]:
    from skep.packages.oci.manifests import parse_manifest

    named = set()
    for data in registry.manifests.values():
        manifest = parse_manifest(data)
        named.add(str(manifest.config.digest))
        if manifest.subject is not None:
            named |= {str(layer.digest) for layer in manifest.layers}
    return named


def _list(document: dict[str, object], key: str) -> list[dict[str, object]]:
    found = document[key]
    assert isinstance(found, list)
    return found


def test_what_would_certainly_fail_is_refused_before_anything_is_sent(
    author: Skep, project: Path, counting: FakeRegistry
) -> None:
    skep = Skep(author.root, counting.url)
    skep.ok("build", project)
    unsigned = skep("publish", project)
    assert (unsigned.code, unsigned.err) == (
        6, f"error: skep/port-filter:1.0.0 is not signed\nhint:  skep sign {project}\n",
    )  # fmt: skip
    assert counting.requests == [], "nobody was asked"

    skep.ok("sign", project, "--key", "author")
    stranger = skep("publish", project)
    assert (stranger.code, "has no publisher skep" in stranger.err) == (10, True)

    skep.ok("keys", "create", project.parent.name.replace("_", "-")[:40])
    other = (author.root / "keys").glob("test-*.pub")
    counting.register("skep", PublicKey.from_pem(next(iter(other)).read_bytes()))
    another = skep("publish", project)
    assert (another.code, "is signed by SHA256:" in another.err) == (6, True)
    assert writes(counting) == []


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        pytest.param(("publish", "nowhere"), 4, "nowhere", id="publish-nothing"),
        pytest.param(("sign", "nowhere", "--key", "author"), 4, "nowhere", id="sign-nothing"),
        pytest.param(("pull", "Not/A-Name"), 2, "Not/A-Name", id="pull-no-reference"),
        pytest.param(("show", "one"), 2, "one", id="show-no-reference"),
        pytest.param(("verify", "one"), 2, "one", id="verify-no-reference"),
        pytest.param(("search", "hook:xdp"), 2, "filters: name:, summary:", id="unknown-filter"),
        pytest.param(("search", "x" * 201), 2, "200 characters", id="search-too-long"),
    ],
)
def test_what_is_wrong_here_is_told_before_anybody_is_asked(
    author: Skep, counting: FakeRegistry, arguments: tuple[str, ...], code: int, word: str
) -> None:
    ran = Skep(author.root, counting.url)(*arguments)
    assert (ran.code, word in ran.err) == (code, True), ran.err
    assert counting.requests == []


def test_a_missing_key_is_told_before_the_package_is_opened(author: Skep, project: Path) -> None:
    author.ok("build", project)
    ran = author("sign", project, "--key", "nokey")
    assert (ran.code, "nokey" in ran.err) == (4, True)


def test_an_author_hears_what_the_review_says(author: Skep, tmp_path: Path) -> None:
    project = write_project(tmp_path / "p")
    (project / "README.md").unlink()
    author.ok("build", project)
    author.ok("sign", project, "--key", "author")
    public = author.root / "keys" / "author.pub"
    with author.serving("--data", tmp_path / "m", "--publisher", f"acme={public}") as skep:
        planned = skep.ok("publish", "--dry-run", project)
        assert "warning: metadata-complete: there is no README.md" in planned.out
        ran = skep.ok("publish", project)
        assert ran.out.startswith("published acme/project:1.0.0")
        assert "warning: metadata-complete: there is no README.md." in ran.err
        assert "Add what is missing to skep.toml and README.md." in ran.err
        assert f"skep publish --dry-run --verbose {project}" in ran.err
        again = skep.ok("publish", project, "--json").document
        assert again["changed"] is False

        (project / "README.md").write_text("# Other content")
        author.ok("build", project)
        author.ok("sign", project, "--key", "author")
        for arguments in (("publish",), ("publish", "--dry-run")):
            ran = skep(*arguments, project)
            assert ran.code == 5
            assert 'version = "1.0.1" in skep.toml' in ran.err

        first = skep.ok("pull", "acme/project", "--json").document
        second = skep.ok("pull", "acme/project")
        assert first["changed"] is True
        assert second.out.startswith("unchanged: acme/project:1.0.0")

        found = skep.ok("search", "name:project", "counts")
        assert "1 package in " in found.out
        assert "no package matches 'summary:project'" in skep.ok("search", "summary:project").out


def test_a_refused_package_is_told_with_every_rule(author: Skep, tmp_path: Path) -> None:
    """Built by hand: ``skep build`` would refuse it."""
    from tests.builders.packages import put_package
    from tests.builders.published import make_package, toml

    from skep.packages.local.content_store import ContentStore

    layout = tmp_path / "p.oci"
    metadata = toml(more='[settings.limit]\ntype = "u64"\nmap = "nowhere"')
    put_package(ContentStore(layout), make_package(metadata), tag="1.0.0")
    author.ok("sign", layout, "--key", "author")
    public = author.root / "keys" / "author.pub"
    with author.serving("--data", tmp_path / "m", "--publisher", f"acme={public}") as skep:
        ran = skep("publish", layout)
        assert ran.code == 7
        assert "consistent: settings.limit.map: no object file has a map 'nowhere'" in ran.err
        assert "warning: metadata-complete: the setting limit has no help" in ran.err
        assert f"skep publish --dry-run {layout} shows the whole review" in ran.err
        planned = skep("publish", "--dry-run", layout, "--json")
        assert planned.code == 7
        obstacle = planned.document["obstacle"]
        assert isinstance(obstacle, dict)
        assert (obstacle["family"], obstacle["exit_code"]) == ("refused", 7)


def test_a_build_reads_no_types_of_the_kernel_and_warns_only(author: Skep, tmp_path: Path) -> None:
    ran = author.ok("build", write_project(tmp_path / "p"), "--json")
    warnings = ran.document["warnings"]
    assert isinstance(warnings, list)
    assert all(str(each).startswith("this machine (Linux ") for each in warnings)
