import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.builders.trust import private_pem, public_pem, signer

from skep.errors import codes
from skep.node.verified.key_offers import AnotherKey, choose, read_offer
from skep.packages.client.errors import MalformedAnswer
from skep.packages.wire.publisher_listing import OfferedKey, PublisherListing
from skep.trust.fingerprints import MalformedFingerprint

KEY, OTHER = signer("publisher").public_key, signer("other").public_key


def offered(pem: bytes, fingerprint: str = KEY.fingerprint) -> OfferedKey:
    return OfferedKey(fingerprint, pem.decode())


GOOD = offered(KEY.pem)


def listing(*keys: OfferedKey) -> PublisherListing:
    return PublisherListing("skep", keys)


def test_keys_are_read_in_the_order_they_come() -> None:
    other = offered(OTHER.pem, OTHER.fingerprint)
    assert read_offer(listing(other, GOOD)) == (OTHER, KEY)


@pytest.mark.parametrize(
    "pem",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"nonsense", id="nonsense"),
        pytest.param("ключ".encode(), id="not-ascii"),
        pytest.param(public_pem(ec.SECP384R1()), id="another-curve"),
        pytest.param(private_pem(ec.SECP256R1()), id="a-private-key"),
        pytest.param(KEY.pem[:100], id="truncated"),
    ],
)
def test_2_one_key_that_is_none_refuses_the_whole_answer(pem: bytes) -> None:
    with pytest.raises(MalformedAnswer, match="skep"):
        read_offer(listing(GOOD, offered(pem)))


def test_3_a_fingerprint_that_is_not_the_keys_refuses_the_whole_answer() -> None:
    with pytest.raises(MalformedAnswer) as caught:
        read_offer(listing(offered(OTHER.pem, KEY.fingerprint)))
    assert OTHER.fingerprint in caught.value.message


def test_4_a_key_that_comes_twice_is_one() -> None:
    assert read_offer(listing(GOOD, GOOD)) == (KEY,)


def test_a_key_is_chosen_by_its_whole_fingerprint() -> None:
    assert choose((KEY, OTHER), OTHER.fingerprint, "m") == OTHER
    with pytest.raises(MalformedFingerprint):
        choose((KEY, OTHER), OTHER.fingerprint[:23], "m")


def test_digits_may_be_written_large() -> None:
    text = f"SHA256:{OTHER.fingerprint.removeprefix('SHA256:').upper()}"
    assert choose((KEY, OTHER), text, "m") == OTHER


def test_another_key_than_the_one_that_was_named_is_not_trusted() -> None:
    with pytest.raises(AnotherKey, match=rf"^public has {KEY.fingerprint}, not") as caught:
        choose((KEY,), OTHER.fingerprint, "public")
    assert codes(caught.value).exit_code == 6
