"""Errors of the system, of imports and of databases get a family and a hint; bugs stay bugs."""

import errno
import os
import sqlite3
import subprocess
import sys

import pytest

from skep.cli.foreign_errors import as_skep_error
from skep.errors import NotFound, SkepError, codes
from skep.system_errors import explain


@pytest.mark.parametrize(
    ("number", "family"),
    [
        (errno.ENOENT, "not-found"),
        (errno.EACCES, "not-permitted"),
        (errno.EPERM, "not-permitted"),
        (errno.EROFS, "not-permitted"),
        (errno.ENOSPC, "unavailable"),
        (errno.EDQUOT, "unavailable"),
        (errno.EMFILE, "unavailable"),
        (errno.ENOMEM, "unavailable"),
        (errno.EIO, "unavailable"),
        (errno.ECONNREFUSED, "unavailable"),
        (errno.EEXIST, "conflict"),
        (errno.EADDRINUSE, "conflict"),
        (errno.ENOTDIR, "usage"),
        (errno.EISDIR, "usage"),
        (errno.ENAMETOOLONG, "usage"),
        (errno.ENOSYS, "unsupported"),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else "",
)
def test_an_error_of_the_system_has_a_family_a_hint_and_the_file(number: int, family: str) -> None:
    found = as_skep_error(OSError(number, os.strerror(number), "/some/file"))
    assert isinstance(found, SkepError)
    assert found.family == family
    assert found.hint
    assert found.message == f"/some/file: {os.strerror(number)}"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(OSError(errno.EXDEV, "x", "/a", None, "/b"), "/a → /b: x", id="two-files"),
        pytest.param(OSError(errno.EIO, "x", 7), "x", id="a-descriptor"),
        pytest.param(OSError(errno.EIO, "x", b"/a\xff"), "/a\udcff: x", id="bytes"),
        pytest.param(OSError("only words"), "only words", id="no-number"),
        pytest.param(TimeoutError(), "TimeoutError", id="nothing-said"),
    ],
)
def test_whatever_the_system_says_is_a_sentence(error: OSError, message: str) -> None:
    assert explain(error).message == message


def test_what_was_tried_begins_the_sentence() -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "/x/.incoming-1")
    assert explain(error, "write /x/y").message == "could not write /x/y: No space left on device"


@pytest.mark.parametrize(
    ("package", "hint"),
    [
        ("granian.server", "pip install 'skep[registry]'"),
        ("starlette", "pip install 'skep[registry]'"),
        ("pyroute2", "pip install 'skep[agent]'"),
        ("urllib3", "pip install --force-reinstall skep"),
    ],
)
def test_a_missing_package_is_named_with_what_installs_it(package: str, hint: str) -> None:
    error = ModuleNotFoundError(f"No module named {package!r}", name=package)
    found = as_skep_error(error)
    assert isinstance(found, SkepError)
    assert (found.family, found.hint) == ("unsupported", hint)
    assert package.partition(".")[0] in found.message


@pytest.mark.parametrize(
    ("error", "family"),
    [
        pytest.param(MemoryError(), "unavailable", id="memory"),
        pytest.param(RecursionError(), "malformed", id="recursion"),
        pytest.param(
            UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "malformed", id="decoding"
        ),
        pytest.param(sqlite3.OperationalError("disk I/O error"), "malformed", id="operational"),
        pytest.param(sqlite3.DatabaseError("malformed"), "malformed", id="database"),
    ],
)
def test_other_foreign_errors_have_families(error: Exception, family: str) -> None:
    found = as_skep_error(error)
    assert isinstance(found, SkepError)
    assert found.family == family
    assert found.hint
    assert found.__cause__ is error


def test_a_real_full_database_is_unavailable() -> None:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.OperationalError) as raised:
            connection.execute("CREATE TABLE a (b)")
    finally:
        connection.close()
    assert codes(as_skep_error(raised.value)).exit_code == 9


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(KeyError("x"), id="key"),
        pytest.param(AssertionError(), id="assertion"),
        pytest.param(ImportError("cannot import name", name="skep.kernel"), id="our-own-module"),
        pytest.param(sqlite3.ProgrammingError("closed"), id="misused-database"),
        pytest.param(NotFound("ours"), id="ours"),
    ],
)
def test_bugs_and_our_own_errors_stay_as_they_are(error: Exception) -> None:
    assert as_skep_error(error) is error


@pytest.mark.parametrize("package", ["granian", "starlette"])
def test_serving_without_the_extra_says_what_installs_it(package: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; from skep.cli.main import run; run()"
    done = subprocess.run(
        [sys.executable, "-c", program, "serve"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 8
    assert "needs the registry extra" in done.stderr
    assert "hint:  pip install 'skep[registry]'" in done.stderr
