"""What the machine says about itself."""

from pathlib import Path

import pytest

from skep.errors import Malformed
from skep.kernel import probes
from skep.kernel.errors import LacksPrivilege
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
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, effective: str, missing: tuple[str, ...]
) -> None:
    status = tmp_path / "status"
    status.write_text(f"Name:\tx\nCapEff:\t{effective}\nCapBnd:\t000001ffffffffff\n")
    monkeypatch.setattr(probes, "_STATUS", status)
    assert probes.missing_capabilities() == missing
    if missing:
        with pytest.raises(LacksPrivilege, match=missing[0]):
            probes.require_privileges()
    else:
        probes.require_privileges()


def test_this_kernel_has_a_version() -> None:
    assert probes.kernel_version() >= KernelVersion(4, 0)
