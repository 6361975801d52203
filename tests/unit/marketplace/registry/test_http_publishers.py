"""Publishers and their keys, over a real socket."""

import pytest
from tests.builders.published import make_package
from tests.builders.pushing import RawClient, error_of
from tests.builders.trust import signer


def test_a_publisher_is_shown_with_its_keys(client: RawClient) -> None:
    key = signer().public_key
    answer = client("GET", "/api/v1/publishers/acme")
    assert answer.status == 200
    assert answer.json() == {
        "schema": "skep.dev/publisher/1",
        "name": "acme",
        "keys": [{"fingerprint": key.fingerprint, "pem": key.pem.decode()}],
    }


@pytest.mark.parametrize("name", ["nobody", "acm"])
def test_a_publisher_nobody_registered_is_not_found(client: RawClient, name: str) -> None:
    answer = client("GET", f"/api/v1/publishers/{name}")
    assert answer.status == 404
    error = error_of(answer)
    assert (error["code"], error["family"]) == ("NOT_FOUND", "not-found")
    assert name in error["message"]


@pytest.mark.parametrize("name", ["ACME", "..", "acme%20", "%1b", "acme-"])
def test_what_cannot_name_a_publisher_is_told_so(client: RawClient, name: str) -> None:
    answer = client("GET", f"/api/v1/publishers/{name}")
    assert answer.status in {400, 404}
    assert answer.data.decode().isprintable()


def test_a_publisher_is_read_and_not_changed(client: RawClient) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert client(method, "/api/v1/publishers/acme", b"{}").status == 405


def test_who_signs_with_a_key_that_is_not_registered_is_told_which_are(client: RawClient) -> None:
    package = make_package()
    client.push(package)
    client.push_signature(package, signer("stranger"))
    error = error_of(client.publish(package))
    assert error["family"] == "untrusted"
    assert signer("stranger").public_key.fingerprint in error["message"]
    assert signer().public_key.fingerprint in error["hint"]
    assert "skep keys trust" not in error["hint"]
