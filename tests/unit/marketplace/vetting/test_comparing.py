import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.marketplace.vetting.comparing import differences

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=10,
)


@settings(deadline=None)
@given(JSON)
def test_a_document_is_like_itself(document: object) -> None:
    assert differences(document, json.loads(json.dumps(document))) == ()


@settings(deadline=None)
@given(JSON, JSON)
def test_documents_with_other_bytes_differ(left: object, right: object) -> None:
    same = json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    assert (differences(left, right) == ()) == same


@pytest.mark.parametrize(("left", "right"), [(1, True), (0, False), (1, 1.0), (None, 0), ([], {})])
def test_what_python_calls_equal_may_differ(left: object, right: object) -> None:
    assert differences({"a": left}, {"a": right})


def test_a_flood_of_differences_is_cut_off() -> None:
    assert len(differences(list(range(1000)), list(range(1, 1001)))) == 50


def test_keys_of_strangers_are_made_printable() -> None:
    (problem,) = differences({"\x1b[31m": 1}, {})
    assert "\x1b" not in problem
