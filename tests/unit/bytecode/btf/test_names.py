"""Names without flavour."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.bytecode.btf.names import essential_name


@pytest.mark.parametrize(
    ("name", "essential"),
    [
        ("task_struct", "task_struct"),
        ("task_struct___old", "task_struct"),
        ("a___b___c", "a___b"),
        ("a__b", "a__b"),
        ("a____b", "a____b"),  # four underscores separate nothing
        ("___a", "___a"),
        ("a___", "a___"),
        ("_____", "_____"),
        ("a___\nb", "a"),
        ("", ""),
    ],
)
def test_what_follows_the_last_three_underscores_is_left_out(name: str, essential: str) -> None:
    assert essential_name(name) == essential


def reference(name: str) -> str:
    """As ``bpf_core_essential_name_len`` says it, place by place."""
    for place in range(len(name) - 5, -1, -1):
        if name[place] != "_" and name[place + 1 : place + 4] == "___" and name[place + 4] != "_":
            return name[: place + 1]
    return name


@settings(deadline=None, max_examples=300)
@given(st.text("ab_", max_size=24))
def test_every_name_is_cut_as_libbpf_cuts_it(name: str) -> None:
    assert essential_name(name) == reference(name)


def test_a_long_hostile_name_takes_no_time() -> None:
    name = "a___" * 250_000
    assert essential_name(name) == name[:-7]
