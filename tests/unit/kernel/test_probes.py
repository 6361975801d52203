"""What the machine says about itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from skep.errors import Malformed
from skep.kernel import probes, syscall
from skep.kernel.errors import KernelFilesMissing, LacksPrivilege
from skep.kernel.syscall import effective_capabilities
from skep.versions import KernelVersion


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 1), ("0-1\n", 2), ("0-3,8", 5), ("0,2,4-5", 4), ("0-65535", 65536)],
)
def test_a_list_of_cpus_is_counted(text: str, count: int) -> None:
    assert probes.parse_cpu_list(text) == count


@pytest.mark.parametrize("text", ["", "a", "0-", "-3", "3-0", "0,,1", "0-99999,0-99999", "0 1"])
def test_what_is_not_a_list_of_cpus_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        probes.parse_cpu_list(text)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("[none] integrity confidentiality\n", "none"),
        ("none [integrity] confidentiality\n", "integrity"),
        ("", None),
    ],
)
def test_the_lockdown_mode_is_the_one_in_brackets(text: str, mode: str | None) -> None:
    assert probes.parse_lockdown(text) == mode


@pytest.mark.parametrize(
    ("effective", "missing"),
    [
        pytest.param("000001ffffffffff", (), id="root"),
        pytest.param("0000008000001000", (), id="bpf-and-net-admin"),
        pytest.param("0000000000201000", (), id="sys-admin-and-net-admin"),
        pytest.param("0000000000200000", ("CAP_NET_ADMIN",), id="sys-admin-only"),
        pytest.param("0000000000000000", ("CAP_BPF", "CAP_NET_ADMIN"), id="nothing"),
    ],
)
def test_missing_capabilities_are_named(
    monkeypatch: pytest.MonkeyPatch, effective: str, missing: tuple[str, ...]
) -> None:
    monkeypatch.setattr(syscall, "effective_capabilities", lambda: int(effective, 16))
    assert probes.missing_capabilities() == missing
    if missing:
        with pytest.raises(LacksPrivilege, match=missing[0]):
            probes.require_privileges()
    else:
        probes.require_privileges()


def test_this_kernel_has_a_version() -> None:
    assert probes.kernel_version() >= KernelVersion(4, 0)


def test_capabilities_are_those_the_kernel_tells_elsewhere_too() -> None:
    status = Path("/proc/self/status").read_text()
    wanted = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    assert effective_capabilities() == int(wanted.split()[1], 16)


@pytest.fixture
def uncounted() -> Iterator[None]:
    """Nothing remembered of the number of CPUs, before and after."""
    probes.possible_cpus.cache_clear()
    yield
    probes.possible_cpus.cache_clear()


def _without_sys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, interrupts: str | None) -> None:
    monkeypatch.setattr(probes, "_POSSIBLE_CPUS", tmp_path / "possible")
    monkeypatch.setattr(probes, "_SOFT_INTERRUPTS", tmp_path / "softirqs")
    if interrupts is not None:
        (tmp_path / "softirqs").write_text(interrupts)


@pytest.mark.usefixtures("uncounted")
def test_without_sys_proc_tells_the_number_of_cpus(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    columns = "                    CPU0       CPU1       CPU2\n          HI:     1 2 3\n"
    _without_sys(monkeypatch, tmp_path, columns)
    assert probes.possible_cpus() == 3


@pytest.mark.usefixtures("uncounted")
def test_both_tell_the_same_number_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = probes.possible_cpus()
    probes.possible_cpus.cache_clear()
    monkeypatch.setattr(probes, "_POSSIBLE_CPUS", tmp_path / "possible")
    assert probes.possible_cpus() == expected


@pytest.mark.usefixtures("uncounted")
@pytest.mark.parametrize("interrupts", [None, ""], ids=["missing", "empty"])
def test_without_either_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, interrupts: str | None
) -> None:
    _without_sys(monkeypatch, tmp_path, interrupts)
    with pytest.raises(KernelFilesMissing, match="possible") as raised:
        probes.possible_cpus()
    assert "/sys" in raised.value.hint
