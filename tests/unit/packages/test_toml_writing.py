import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.packages.toml_writing import toml_text

# TOML has integers of 64 bits; lone surrogates are no text that a file can hold.
_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_PLAIN = st.one_of(
    _TEXT,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.datetimes(),
    st.dates(),
)
_VALUES = st.recursive(
    _PLAIN, lambda inner: st.one_of(st.lists(inner), st.dictionaries(_TEXT, inner)), max_leaves=12
)


@given(st.dictionaries(_TEXT, _VALUES))
def test_what_is_written_is_read_back_the_same(document: dict[str, object]) -> None:
    assert tomllib.loads(toml_text(document)) == document


def test_a_value_toml_has_no_word_for_is_a_mistake() -> None:
    with pytest.raises(TypeError):
        toml_text({"a": None})
