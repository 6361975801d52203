"""Running Skep as people do: a command in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from tests.builders.documented import assert_documented
from tests.builders.starting import start
from tests.builders.terminals import Seen, at_terminal

COMMAND = [sys.executable, "-m", "skep"]
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        """What ``--json`` printed; as ``docs/reference/json.md`` has it, or the test fails."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        assert_documented(document)
        return document

    def documents(self, key: str) -> list[dict[str, object]]:
        """The list of documents that ``--json`` printed under a key."""
        found = self.document[key]
        assert isinstance(found, list)
        return found


@dataclass(frozen=True, slots=True)
class Skep:
    """Commands with a root directory of their own.

    Attributes:
        root: that directory.
        url: of a marketplace.
        before: a command line that runs the command elsewhere, such as ``nsenter``.
    """

    root: Path
    url: str = ""
    before: tuple[str, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SKEP_")}
        return kept | {
            "SKEP_ROOT": str(self.root),
            "SKEP_MARKETPLACE": self.url,
            "XDG_CONFIG_HOME": str(self.root / "configuration"),
            "COLUMNS": "80",
        }

    def words(self, *arguments: object) -> list[str]:
        """The whole command line."""
        return [*self.before, *COMMAND, *map(str, arguments)]

    def within(self, *before: str) -> "Skep":
        """The same commands, run elsewhere."""
        return replace(self, before=before)

    def __call__(self, *arguments: object, cwd: Path | None = None) -> Ran:
        """Run a command to its end."""
        if not self.before:
            return self._started(arguments, cwd)
        finished = subprocess.run(
            self.words(*arguments),
            env=self.variables,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        return Ran(finished.returncode, finished.stdout, finished.stderr)

    def _started(self, arguments: Sequence[object], cwd: Path | None) -> Ran:
        """Run a command that needs not load Skep."""
        nothing = Path(os.devnull)
        with TemporaryFile() as out, TemporaryFile() as err, nothing.open("rb") as empty:
            streams = [each.fileno() for each in (empty, out, err)]
            process = start([*map(str, arguments)], streams, self.variables, cwd)
            code = process.wait(_PATIENCE_SECONDS)
            return Ran(code, *(_read(each) for each in (out, err)))

    def at_terminal(
        self,
        *arguments: object,
        keys: str,
        out_elsewhere: bool = False,
        errors_elsewhere: bool = False,
    ) -> Seen:
        """Run a command at a terminal, and press keys when it asks."""
        return at_terminal(
            [*COMMAND, *map(str, arguments)],
            keys,
            environment=self.variables,
            out_elsewhere=out_elsewhere,
            errors_elsewhere=errors_elsewhere,
        )

    def ok(self, *arguments: object) -> Ran:
        """Run a command that must succeed."""
        ran = self(*arguments)
        assert ran.code == 0, f"{arguments}: {ran.out}\n{ran.err}"
        return ran

    @contextmanager
    def serving(self, *arguments: object) -> Iterator["Skep"]:
        """Serve a marketplace meanwhile; gives commands that know it."""
        words = ["serve", "--json", "--port", "0", "--until-stdin-ends", *map(str, arguments)]
        inside, until = os.pipe()
        said, out = os.pipe()
        process = start(words, [inside, out, 2], self.variables)
        os.close(inside)
        os.close(out)
        with os.fdopen(said) as answers:
            try:
                text = ""
                while not text.rstrip().endswith("\n}"):
                    line = answers.readline()
                    assert line, "the marketplace did not start"
                    text += line
                document = json.loads(text)
                assert_documented(document)
                yield Skep(self.root, document["url"])
            finally:
                os.close(until)
                process.wait(_PATIENCE_SECONDS)


def _read(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode()


def publish_bundled(skep: Skep, projects: Path, *names: str) -> list[Path]:
    """Copy bundled programs, build and sign them with a new key ``author``; gives the layouts."""
    source = Path(__file__).resolve().parents[2] / "bpf" / "programs"
    skep.ok("keys", "create", "author")
    layouts = []
    for name in names:
        shutil.copytree(source / name, projects / name, ignore=shutil.ignore_patterns("dist"))
        layouts.append(Path(str(skep.ok("build", projects / name, "--json").document["layout"])))
        skep.ok("sign", layouts[-1], "--key", "author")
    return layouts
