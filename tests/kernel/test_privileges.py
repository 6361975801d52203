"""What somebody who is not root is told. Tried in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skep.kernel.probes import kernel_facts, require_privileges

pytestmark = pytest.mark.kernel

_AS_NOBODY = """
import os, sys
from pathlib import Path
from skep.bytecode.linking.plan import MapPlan
from skep.errors import SkepError
from skep.kernel import links, loading, maps, network, pins, probes, programs
from tests.builders.kernel_programs import array, program
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    {statement}
except SkepError as error:
    print(error.family, "|", error.message, "|", error.hint)
"""


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("maps.create_map(MapPlan('m', 1, 4, 8, 1))", id="map"),
        pytest.param("loading.load_program(program(), [])", id="program"),
        pytest.param("pins.mount_bpffs(Path(sys.argv[1]))", id="mount"),
        pytest.param("pins.PinRoot(Path(sys.argv[1]))", id="pins"),
        pytest.param("network.create_namespace('skep-test-nobody')", id="namespace"),
        pytest.param("network.remove_interface('lo')", id="interface"),
        pytest.param("list(programs.program_ids())", id="programs"),
        pytest.param("probes.require_privileges()", id="asked-first"),
    ],
)
def test_without_privileges_nothing_is_done_and_the_reason_said(
    statement: str, tmp_path: Path
) -> None:
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY.format(statement=statement), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"},
    )
    assert ended.returncode == 0, ended.stderr
    family, _, hint = ended.stdout.strip().split(" | ")
    assert family == "not-permitted"
    assert "root" in hint


def test_root_lacks_nothing_and_the_kernel_has_links() -> None:
    require_privileges()
    facts = kernel_facts()
    assert facts.missing_capabilities == ()
    assert facts.has_links
