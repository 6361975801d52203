"""What a dry run pulls is there as if it were stored, and no file is made or changed."""

from pathlib import Path

import pytest
from tests.builders.packages import put_package
from tests.builders.published import make_package, toml

from skep.digests import Digest
from skep.packages.local.content_store import ContentStore
from skep.packages.local.errors import NoSuchContent
from skep.packages.local.scratch_store import ScratchStore
from skep.packages.opening import open_package


def files(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_is_put_in_is_read_back_and_on_no_disk(tmp_path: Path) -> None:
    store = ScratchStore(tmp_path / "content")
    package = make_package(toml("acme/limit"))
    put_package(store, package)
    (descriptor,) = store.tags().values()
    assert descriptor.digest == package.manifest.digest
    assert open_package(store.blob(descriptor.digest), store.blob).metadata.name == "acme/limit"
    assert not (tmp_path / "content").exists()


def test_what_is_on_disk_is_seen_through_and_not_touched(tmp_path: Path) -> None:
    disk = ContentStore(tmp_path)
    put_package(disk, make_package(toml("acme/limit")))
    before = files(tmp_path)
    store = ScratchStore(tmp_path)
    put_package(store, make_package(toml("acme/filter")))
    assert len(store.tags()) == 2
    assert len(disk.tags()) == 1
    assert files(tmp_path) == before


def test_what_is_nowhere_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NoSuchContent):
        ScratchStore(tmp_path).blob(Digest.of(b"nowhere"))
