"""Each import contract holds, and each bites on a planted offender."""

import os
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from tests.house.tree import ROOT

pytestmark = pytest.mark.slow

_OFFENDERS = {
    "1 Rooms import downwards": ("chains/planted.py", "import skep.packages.metadata"),
    "2 Inside bytecode": ("bytecode/isa/planted.py", "import skep.bytecode.objectfile.model"),
    "2 Inside packages": ("packages/oci/planted.py", "import skep.packages.metadata"),
    "2 Inside trust": ("trust/keys.py", "import skep.trust.bundles"),
    "2 Inside chains": ("chains/member.py", "import skep.chains.splicing"),
    "2 Inside the kernel room": ("kernel/syscall.py", "import skep.kernel.loading"),
    "2 Inside compiling": ("compiling/errors.py", "import skep.compiling.compiler"),
    "2 Commands know nothing": ("cli/pull.py", "import skep.cli.install"),
    "3 Inside vetting": (
        "marketplace/vetting/verdicts.py",
        "import skep.marketplace.vetting.rules",
    ),
    "3 Inside the marketplace": (
        "marketplace/vetting/planted.py",
        "import skep.marketplace.registry.ports",
    ),
    "3 Inside the registry": (
        "marketplace/registry/ports.py",
        "import skep.marketplace.registry.wiring",
    ),
    "3 Inside the node": ("node/ports.py", "import skep.node.deploying.installing"),
    "4 Only the kernel room": ("node/planted.py", "import ctypes"),
    "5 Only the node's wiring": ("node/planted.py", "import skep.kernel.loading"),
    "6 Only the command line draws": ("node/planted.py", "import rich.table"),
    "6 Web frameworks": ("node/planted.py", "import starlette.routing"),
    "7 Packages on disk": ("packages/local/planted.py", "import urllib3"),
    "7 The pure rooms": ("trust/planted.py", "def reach():\n    import socket\n"),
}


def _lint(folder: Path, *options: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    finished = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.returncode, finished.stdout + finished.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources, for tests that leave them as they were; its cache is its own."""
    folder = tmp_path_factory.mktemp("contracts")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", folder)
    return folder


def test_all_contracts_are_kept_and_none_is_forgotten_here(copy: Path) -> None:
    code, text = _lint(copy)
    assert code == 0, text
    names = [line for line in text.splitlines() if line.rstrip().endswith("KEPT")]
    assert len(names) == len(_OFFENDERS), text
    for contract in _OFFENDERS:
        assert any(contract in name for name in names), contract


def test_all_of_packages_but_client_and_local_is_pure() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    named = contracts["importlinter:contract:7-pure"]["source_modules"].split()
    there = (ROOT / "src" / "skep" / "packages").iterdir()
    rooms = {path.stem for path in there if not path.name.startswith("__")} - {"client", "local"}
    assert {name for name in named if ".packages" in name} == {
        f"skep.packages.{room}" for room in rooms
    }


def _identity(contract: str) -> str:
    """What a contract is called on the command line."""
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    (found,) = (
        section.rpartition(":")[2]
        for section in contracts.sections()
        if contract in contracts[section].get("name", "")
    )
    return found


@pytest.mark.parametrize("contract", _OFFENDERS)
def test_a_planted_import_breaks(contract: str, copy: Path) -> None:
    name, text = _OFFENDERS[contract]
    path = copy / "src" / "skep" / name
    before = path.read_text(encoding="utf-8") if path.exists() else None
    planted = '"""Planted."""\n' if before is None else before
    try:
        path.write_text(f"{planted}\n{text}\n", encoding="utf-8")
        code, report = _lint(copy, "--contract", _identity(contract))
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before, encoding="utf-8")
    assert code != 0
    broken = [line for line in report.splitlines() if line.rstrip().endswith("BROKEN")]
    assert any(contract in line for line in broken), report
