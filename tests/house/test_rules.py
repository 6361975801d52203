"""The house rules hold in every source file, and each of them bites on a planted offender."""

from pathlib import Path

import pytest
from tests.house import rules
from tests.house.tree import SOURCES, python_files

_OFFENDERS = {
    "hooks_are_named_where_they_live": ("node/x.py", '"""X."""\nhook = "xdp"\n'),
    "only_the_command_line_prints_or_exits": ("chains/x.py", '"""X."""\nprint("hello")\n'),
    "imports_stand_at_the_top": ("trust/x.py", '"""X."""\ndef f():\n    import json\n'),
    "no_room_reads_the_clock_or_the_environment": (
        "node/x.py",
        '"""X."""\nimport time\nnow = time.time()\n',
    ),
    "json_is_read_in_one_place": (
        "node/x.py",
        '"""X."""\nimport json\nvalue = json.loads("{}")\n',
    ),
    "only_the_kernel_room_makes_system_calls": ("node/x.py", '"""X."""\nimport ctypes\n'),
    "errors_belong_to_a_family": ("trust/x.py", '"""X."""\nclass Bad(Exception):\n    pass\n'),
    "files_stay_small_and_say_what_they_hold": ("trust/utils.py", '"""X."""\n'),
    "suppressions_carry_a_reason": ("trust/x.py", "x = 1  # type" + ": ignore[misc]\n"),
}


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_every_source_file_keeps(rule: rules.Rule) -> None:
    offences = [text for path in python_files(SOURCES) for text in rule(path, SOURCES)]
    assert offences == []


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_a_planted_offender_is_caught_by(rule: rules.Rule, tmp_path: Path) -> None:
    name, text = _OFFENDERS[rule.__name__]
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    assert list(rule(path, tmp_path))


@pytest.mark.parametrize(
    ("name", "text", "is_caught"),
    [
        pytest.param("node/x.py", "from skep.kernel.attaching import tcx\n", True, id="way"),
        pytest.param("kernel/x.py", "def attach_xdp() -> None: ...\n", True, id="in-a-word"),
        pytest.param("bytecode/x.py", 'KIND = "XDP"\n', False, id="program-type"),
        pytest.param("bytecode/x.py", "from skep.hooks.xdp import XDP\n", True, id="hook-itself"),
        pytest.param("cli/x.py", 'HELP = "such as xdp:eth0"\n', False, id="example"),
        pytest.param("cli/x.py", 'if hook == "xdp": ...\n', True, id="no-example"),
        pytest.param("kernel/attaching/x.py", 'way = "xdp"\n', False, id="driver"),
    ],
)
def test_what_counts_as_naming_a_hook(
    name: str, text: str, *, is_caught: bool, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(f'"""X."""\n{text}', encoding="utf-8")
    assert bool(list(rules.hooks_are_named_where_they_live(path, tmp_path))) is is_caught
