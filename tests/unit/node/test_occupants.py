"""What the order of the programs on a hook means for a chain, in words."""

import pytest

from skep.node.occupants import Occupant, order_lines, others_before

THEIRS = Occupant(570, "classify", is_ours=False)
NAMELESS = Occupant(8, "", is_ours=False)
OURS = Occupant(9, "skep_0123456789", is_ours=True)


@pytest.mark.parametrize(
    ("there", "lines"),
    [
        pytest.param([], [], id="nobody"),
        pytest.param([OURS], [], id="alone"),
        pytest.param(
            [THEIRS, OURS],
            ["runs after program 570 (classify), which may decide first"],
            id="after-another",
        ),
        pytest.param(
            [THEIRS, NAMELESS, OURS],
            ["runs after program 570 (classify) and program 8, which may decide first"],
            id="after-two",
        ),
        pytest.param([OURS, NAMELESS], ["runs before program 8"], id="before-another"),
        pytest.param(
            [THEIRS, OURS, NAMELESS],
            [
                "runs after program 570 (classify), which may decide first",
                "runs before program 8",
            ],
            id="between",
        ),
        pytest.param(
            [THEIRS],
            ["runs after program 570 (classify), which may decide first"],
            id="not-there-yet",
        ),
    ],
)
def test_who_else_is_there_is_told(there: list[Occupant], lines: list[str]) -> None:
    assert order_lines(there) == lines


def test_those_after_ours_are_not_before_it() -> None:
    assert others_before([THEIRS, OURS, NAMELESS]) == [THEIRS]
