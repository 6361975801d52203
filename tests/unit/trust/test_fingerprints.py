import base64

import pytest
from tests.builders.trust import signer

from skep.errors import codes
from skep.trust.fingerprints import (
    MalformedFingerprint,
    fingerprint_of,
    fingerprint_of_hint,
    parse_fingerprint,
)

KEY = signer().public_key


def test_a_key_and_the_hint_of_its_bundles_have_one_fingerprint() -> None:
    assert KEY.fingerprint == fingerprint_of(KEY.der) == fingerprint_of_hint(KEY.hint)
    assert parse_fingerprint(KEY.fingerprint) == KEY.fingerprint


def test_a_fingerprint_in_capital_letters_is_the_same() -> None:
    capitals = "SHA256:" + KEY.fingerprint.removeprefix("SHA256:").upper()
    assert parse_fingerprint(capitals) == KEY.fingerprint


@pytest.mark.parametrize(
    "hint",
    [
        *("", "?", "A", "AAAA", "ä"),
        pytest.param(KEY.hint[:5] + "*" + KEY.hint[5:], id="one-character-more"),
        pytest.param(base64.b64encode(bytes(31)).decode(), id="one-byte-short"),
        pytest.param(base64.b64encode(bytes(33)).decode(), id="one-byte-long"),
    ],
)
def test_a_hint_of_another_kind_stands_for_no_fingerprint(hint: str) -> None:
    assert fingerprint_of_hint(hint) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(KEY.fingerprint[:-1], id="one-short"),
        pytest.param(KEY.fingerprint + "0", id="one-long"),
        pytest.param(KEY.fingerprint[:19], id="twelve-digits"),
        pytest.param(KEY.fingerprint.removeprefix("SHA256:"), id="digits-alone"),
        pytest.param(KEY.fingerprint.lower(), id="another-prefix"),
        pytest.param(KEY.fingerprint + "\n", id="trailing-newline"),
    ],
)
def test_a_part_of_a_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(MalformedFingerprint) as caught:
        parse_fingerprint(text)
    assert codes(caught.value).exit_code == 2
