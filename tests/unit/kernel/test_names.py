"""Names for the kernel and for pins."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from skep.kernel.names import shortened
from skep.kernel.pins import pin_name


@given(st.text(max_size=40))
@settings(deadline=None, max_examples=100)
def test_any_text_becomes_a_name_the_kernel_accepts(text: str) -> None:
    assert re.fullmatch(rb"[A-Za-z0-9_.]{0,15}", shortened(text))


@given(st.text(max_size=20), st.text(max_size=20))
@settings(deadline=None, max_examples=100)
def test_different_texts_get_different_pins(one: str, other: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_%-]*", pin_name(one))
    assert (pin_name(one) == pin_name(other)) == (one == other)


def test_plain_names_stay_as_they_are() -> None:
    assert pin_name("skep-0_9") == "skep-0_9"
    assert shortened(".rodata") == b".rodata"
