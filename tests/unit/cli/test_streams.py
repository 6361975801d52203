"""Commands say what they have to say whatever their streams are."""

import codecs
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skep.cli.keyring import KeyRing
from skep.cli.output import Output
from skep.cli.streams import is_unicode, plainly
from skep.errors import Unavailable


def run(script: str, tmp_path: Path, **variables: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a shell script in which ``$skep`` is the command."""
    return subprocess.run(
        ["bash", "-c", f"skep() {{ '{sys.executable}' -m skep \"$@\"; }}; {script}"],
        env={**os.environ, "SKEP_ROOT": str(tmp_path), **variables},
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("skep list >&-", id="output-closed"),
        pytest.param("skep list <&- >&- 2>&-", id="all-closed"),
        pytest.param("skep list 2>&-", id="error-closed"),
    ],
)
def test_closed_streams_are_survived(tmp_path: Path, script: str) -> None:
    assert run(script, tmp_path).returncode == 0


def test_nothing_is_printed_into_a_file_that_got_the_number_of_a_closed_stream(
    tmp_path: Path,
) -> None:
    done = run("skep keys create one >&- 2>&-", tmp_path)
    assert done.returncode == 0
    ring = KeyRing(tmp_path / "keys")
    assert ring.signer("one").public_key == ring.public("one")


def test_a_reader_that_went_away_is_no_error(tmp_path: Path) -> None:
    script = "skep list --json | true; echo ${PIPESTATUS[0]}"
    done = run(script, tmp_path)
    assert (done.stdout, done.stderr) == (b"0\n", b"")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("skep keys remove one --yes 2>&1 | true", id="result-closed"),
        pytest.param("skep keys trust skep $SKEP_ROOT/keys/one.pub 2>&1 | true", id="trusting"),
        pytest.param("skep keys trust 2>&1 | true", id="usage-error"),
        pytest.param("skep keys trust x /nowhere 2>&1 | true", id="error"),
        pytest.param("skep --help 2>&1 | true", id="help"),
    ],
)
def test_who_listens_decides_nothing(tmp_path: Path, script: str) -> None:
    run("skep keys create one", tmp_path)
    expected = run(script.partition(" 2>")[0], tmp_path).returncode
    run("rm -rf $SKEP_ROOT/trust; skep keys create one", tmp_path)
    done = run(f"{script}; echo ${{PIPESTATUS[0]}}", tmp_path)
    code = int(done.stdout)
    assert code == expected or (script.startswith("skep --help") and code == 141)
    assert done.stderr == b""


def test_standard_error_that_nobody_reads_is_written_in_vain() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        output = Output(err=stream)
        output.warn("a warning")
        output.say("a line", "another")
        output.note("a note")


def test_a_full_disk_below_standard_error_is_no_reason_to_stop(tmp_path: Path) -> None:
    script = "echo x > $SKEP_ROOT/x; skep keys trust skep $SKEP_ROOT/x 2> /dev/full"
    assert run(script, tmp_path).returncode == 3


def test_a_full_disk_below_the_output_is_named(tmp_path: Path) -> None:
    done = run("skep list --json > /dev/full", tmp_path)
    assert done.returncode == 9
    assert b"No space left on device" in done.stderr
    assert b"bug" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_every_encoding_takes_what_is_said(tmp_path: Path, encoding: str) -> None:
    done = run("skep --help; skep list; skep show a/b", tmp_path, PYTHONIOENCODING=encoding)
    assert b"bug" not in done.stderr
    assert b"Traceback" not in done.stderr
    done.stdout.decode(encoding)


def test_json_keeps_every_character_in_ascii() -> None:
    written = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Output(json=True, out=written).emit({"schema": "x", "name": "é → 🐝 \udcff"}, list)
    written.seek(0)
    assert json.loads(written.read()) == {"schema": "x", "name": "é → 🐝 \udcff"}


@pytest.mark.parametrize(
    ("text", "plain"),
    [("✓ a → b…", b"+ a -> b..."), ("é", b"\\xe9"), ("🐝", b"\\U0001f41d"), ("\udcff", b"\\udcff")],
)
def test_what_ascii_lacks_is_written_plainly(text: str, plain: bytes) -> None:
    codecs.register_error("skep.test.plain", plainly)
    assert text.encode("ascii", "skep.test.plain") == plain


def test_only_encoding_is_made_plain() -> None:
    with pytest.raises(UnicodeDecodeError):
        plainly(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"))


@pytest.mark.parametrize(
    ("encoding", "takes"),
    [("utf-8", "all"), ("UTF8", "all"), ("utf-16", "all"), ("ascii", "some"), ("latin-1", "some")],
)
def test_unicode_encodings_are_known(encoding: str, takes: str) -> None:
    assert is_unicode(io.TextIOWrapper(io.BytesIO(), encoding=encoding)) is (takes == "all")


def test_a_stream_without_an_encoding_takes_everything() -> None:
    assert is_unicode(io.StringIO())


def test_a_write_that_fails_is_of_a_family() -> None:
    with Path("/dev/full").open("w") as full, pytest.raises(Unavailable, match="No space"):
        Output(out=full).emit({"schema": "x"}, lambda: ["a line"])


def test_a_change_is_told_also_if_its_outcome_cannot_be_written() -> None:
    with Path("/dev/full").open("w") as full, pytest.raises(Unavailable) as caught:
        Output(out=full).emit({"schema": "x"}, lambda: ["a line"], done="limit runs on xdp:eth0")
    assert caught.value.message.startswith("the change was made: limit runs on xdp:eth0; but")
    assert "try again" not in caught.value.hint
