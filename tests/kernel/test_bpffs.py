"""Mounting never hides what somebody keeps in a directory."""

from pathlib import Path

import pytest

from skep.errors import UsageError
from skep.kernel.bpffs import is_bpffs, mount_bpffs

pytestmark = pytest.mark.kernel


def test_a_directory_with_files_in_it_is_not_mounted_on(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("the only copy")
    with pytest.raises(UsageError, match="empty directory"):
        mount_bpffs(tmp_path)
    assert not is_bpffs(tmp_path)
