import pytest

from skep.packages.licences import UnknownLicence, check_licence


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("mit", "MIT", id="case"),
        pytest.param("GPL-2.0", "GPL-2.0-only", id="old-name"),
        pytest.param("GPL-2.0-only OR BSD-2-Clause", "GPL-2.0-only OR BSD-2-Clause", id="choice"),
        pytest.param(
            "GPL-2.0-only WITH Linux-syscall-note",
            "GPL-2.0-only WITH Linux-syscall-note",
            id="exception",
        ),
        pytest.param("MIT AND LicenseRef-Own", "MIT AND LicenseRef-Own", id="own"),
    ],
)
def test_an_expression_is_written_as_spdx_does(expression: str, expected: str) -> None:
    assert check_licence(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("", id="nothing"),
        pytest.param("Foo-1.0", id="unknown"),
        pytest.param("MIT AND", id="half"),
        pytest.param("MIT MIT", id="no-operator"),
        pytest.param("(MIT", id="open-bracket"),
        pytest.param("MIT WITH GPL-2.0-only", id="licence-as-exception"),
        pytest.param("Dual BSD/GPL", id="kernel-string"),
        pytest.param("(" * 200 + "MIT" + ")" * 90, id="deep"),
        pytest.param("MIT OR " * 100 + "MIT", id="long"),
    ],
)
def test_other_texts_are_refused(expression: str) -> None:
    with pytest.raises(UnknownLicence):
        check_licence(expression)
