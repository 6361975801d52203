from pathlib import Path

import pytest

from skep.cli.person import person


@pytest.mark.parametrize(
    ("login_uid", "variables", "expected"),
    [
        pytest.param("4294967295\n", {}, "root", id="nobody-logged-in"),
        pytest.param("0\n", {}, "root", id="root-logged-in"),
        pytest.param("1\n", {}, "daemon (as root)", id="became-root"),
        pytest.param("4294967295\n", {"SUDO_USER": "alice"}, "alice (as root)", id="sudo-says"),
        pytest.param("1\n", {"SUDO_USER": "alice"}, "daemon (as root)", id="the-kernel-wins"),
        pytest.param("987654321\n", {}, "987654321 (as root)", id="no-name"),
        pytest.param("what?\n", {}, "root", id="no-number"),
    ],
)
def test_the_person_is_who_logged_in(
    tmp_path: Path, login_uid: str, variables: dict[str, str], expected: str
) -> None:
    path = tmp_path / "loginuid"
    path.write_text(login_uid)
    assert person(variables, 0, path) == expected


def test_a_kernel_without_audit_does_not_say(tmp_path: Path) -> None:
    assert person({}, 0, tmp_path / "missing") == "root"
