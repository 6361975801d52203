"""Blobs and manifests coming in over a real socket."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.builders.published import NAME, make_package
from tests.builders.pushing import RawClient, error_of

from skep.digests import Digest
from skep.packages.oci.media_types import INDEX, MANIFEST

DATA = b"some bytes of a blob"
DIGEST = Digest.of(DATA)
BEGIN = f"/v2/{NAME}/blobs/uploads/"


def begin(client: RawClient) -> str:
    answer = client("POST", BEGIN)
    assert answer.status == 202
    assert answer.headers["Range"] == "0-0"
    return str(answer.headers["Location"])


def chunk(
    client: RawClient, location: str, data: bytes, start: int, method: str = "PATCH"
) -> tuple[int, Any]:
    headers = {"Content-Range": f"{start}-{start + len(data) - 1}"}
    answer = client(method, location, data, headers)
    return answer.status, answer


def manifest(**changes: Any) -> bytes:
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "", "size": 2}
    config["digest"] = str(Digest.of(b"{}"))
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": [],
        **changes,
    }
    return json.dumps(document).encode()


def is_pushed(
    client: RawClient, data: bytes = DATA, name: str = NAME, kind: str = "sha256"
) -> bool:
    """Whether a manifest may name the blob; it cannot be seen otherwise before it is published."""
    client.push_blob(b"{}", name)
    layer = {"mediaType": "a/b", "digest": str(Digest.of(data, kind)), "size": len(data)}
    return client.push_manifest(manifest(layers=[layer]), name).status == 201


def test_a_blob_comes_in_one_post(client: RawClient) -> None:
    answer = client.push_blob(DATA)
    assert answer.status == 201
    assert answer.headers["Docker-Content-Digest"] == str(DIGEST)
    assert answer.headers["Location"] == f"/v2/{NAME}/blobs/{DIGEST}"
    assert is_pushed(client)


def test_a_blob_comes_in_post_and_put(client: RawClient) -> None:
    location = begin(client)
    assert client("PUT", f"{location}?digest={DIGEST}", DATA).status == 201
    assert is_pushed(client)


def test_a_blob_comes_in_chunks(client: RawClient) -> None:
    location = begin(client)
    status, answer = chunk(client, location, DATA[:7], 0)
    assert status == 202
    assert answer.headers["Range"] == "0-6"
    state = client("GET", location)
    assert (state.status, state.headers["Range"]) == (204, "0-6")
    assert chunk(client, answer.headers["Location"], DATA[7:], 7)[0] == 202
    assert client("PUT", f"{location}?digest={DIGEST}").status == 201
    assert is_pushed(client)


def test_the_last_chunk_may_come_with_the_put(client: RawClient) -> None:
    location = begin(client)
    chunk(client, location, DATA[:7], 0)
    assert chunk(client, f"{location}?digest={DIGEST}", DATA[7:], 7, "PUT")[0] == 201


def test_a_blob_of_many_chunks_in_memory_is_whole(client: RawClient) -> None:
    data = bytes(range(256)) * 10_000  # 2.5 MB, three pieces on the server
    assert client.push_blob(data).status == 201


def test_a_stream_without_a_length_is_taken(client: RawClient) -> None:
    def pieces() -> Iterator[bytes]:
        yield DATA[:3]
        yield DATA[3:]

    assert client("POST", f"{BEGIN}?digest={DIGEST}", pieces()).status == 201


def test_an_empty_blob_is_a_blob(client: RawClient) -> None:
    assert client.push_blob(b"").status == 201
    assert is_pushed(client, b"")


def test_sha512_stays_sha512(client: RawClient) -> None:
    digest = Digest.of(DATA, "sha512")
    answer = client("POST", f"{BEGIN}?digest={digest}", DATA)
    assert answer.headers["Docker-Content-Digest"] == str(digest)
    assert is_pushed(client, kind="sha512")


@pytest.mark.parametrize("start", [3, 6, 8, 10**14])
def test_a_chunk_out_of_order_is_416_and_changes_nothing(client: RawClient, start: int) -> None:
    location = begin(client)
    chunk(client, location, DATA[:7], 0)
    assert chunk(client, location, DATA[7:], start)[0] == 416
    assert client("GET", location).headers["Range"] == "0-6"
    assert chunk(client, f"{location}?digest={DIGEST}", DATA[7:], start, "PUT")[0] == 416
    assert chunk(client, f"{location}?digest={DIGEST}", DATA[7:], 7, "PUT")[0] == 201


@pytest.mark.parametrize(
    "text", ["bytes 0-6/7", "0-", "a-b", "0-99", "6-0", "-1-5", "\u0660-\u0666"]
)
def test_a_content_range_that_makes_no_sense_is_refused(client: RawClient, text: str) -> None:
    location = begin(client)
    answer = client("PATCH", location, DATA[:7], {"Content-Range": text.encode().decode("latin-1")})
    assert answer.status == 400


@pytest.mark.parametrize("how", ["post", "put", "chunks"])
def test_a_blob_that_is_not_what_its_digest_says_is_refused(client: RawClient, how: str) -> None:
    if how == "post":
        answer = client("POST", f"{BEGIN}?digest={DIGEST}", DATA + b"!")
    else:
        location = begin(client)
        if how == "chunks":
            chunk(client, location, DATA + b"!", 0)
        answer = client("PUT", f"{location}?digest={DIGEST}", DATA + b"!" if how == "put" else b"")
        assert client("GET", location).status == 404  # the upload is over
    assert answer.status == 400
    assert error_of(answer)["code"] == "DIGEST_INVALID"
    assert not is_pushed(client)


@pytest.mark.parametrize("text", ["sha256:x", "md5:" + "0" * 32, "sha256:../../../etc/passwd", ""])
def test_a_digest_that_is_none_is_refused(client: RawClient, text: str) -> None:
    assert client("POST", f"{BEGIN}?digest={text}", DATA).status == 400
    location = begin(client)
    assert client("PUT", f"{location}?digest={text}", DATA).status == 400


def test_an_upload_ends_with_a_digest(client: RawClient) -> None:
    assert client("PUT", begin(client), DATA).status == 400


def test_a_cancelled_upload_is_gone(client: RawClient, settings: Any) -> None:
    location = begin(client)
    assert client("DELETE", location).status == 204
    assert client("GET", location).status == 404
    assert client("PATCH", location, DATA).status == 404
    assert client("DELETE", location).status == 404
    assert not list((settings.directory / "uploads").iterdir())


def test_an_upload_belongs_to_its_repository(client: RawClient) -> None:
    location = begin(client).replace("/acme/", "/rival/")
    assert client("PATCH", location, DATA).status == 404
    assert client("DELETE", location).status == 404


@pytest.mark.parametrize("upload_id", ["x", "..", "%2e%2e", "a" * 32, "lock", "a" * 5000])
def test_an_upload_nobody_began_is_unknown(client: RawClient, upload_id: str) -> None:
    path = f"/v2/{NAME}/blobs/uploads/{upload_id}"
    assert client("PATCH", path, DATA).status == 404
    assert client("PUT", f"{path}?digest={DIGEST}", DATA).status == 404


# Limits


def test_a_blob_that_says_it_is_too_large_is_not_read(client: RawClient, settings: Any) -> None:
    location = begin(client)
    address = urlsplit(client._url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    connection.putrequest("PATCH", location)
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()  # and not one byte of the body
    assert connection.getresponse().status == 413
    connection.close()
    assert not list((settings.directory / "uploads").iterdir())


def test_a_blob_that_turns_out_to_be_too_large_is_dropped(client: RawClient, settings: Any) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b"x" * (256 << 10)

    answer = client("POST", f"{BEGIN}?digest={DIGEST}", endless())
    assert answer.status == 413
    assert error_of(answer)["code"] == "SIZE_INVALID"
    assert not list((settings.directory / "uploads").iterdir())


def test_a_blob_cannot_grow_past_the_limit_in_pieces(client: RawClient) -> None:
    location = begin(client)
    piece = b"x" * (1 << 20)
    for _ in range(3):
        assert client("PATCH", location, piece).status == 202
    assert client("PATCH", location, b"x").status == 413
    assert client("GET", location).status == 404


def test_a_manifest_that_is_too_large_is_refused(client: RawClient) -> None:
    assert client.push_manifest(b" " * (65 << 10)).status == 413


def test_there_is_a_limit_to_open_uploads(client: RawClient) -> None:
    for _ in range(4):
        begin(client)
    answer = client("POST", BEGIN)
    assert answer.status == 503
    assert error_of(answer)["code"] == "TOOMANYREQUESTS"


def test_old_uploads_make_room(client: RawClient, clock: Any, settings: Any) -> None:
    locations = [begin(client) for _ in range(4)]
    clock.advance(hours=1, seconds=1)
    assert client("PATCH", locations[0], DATA).status == 404
    begin(client)
    assert len(list((settings.directory / "uploads").iterdir())) == 1


def test_there_is_a_limit_to_what_waits_to_be_published(client: RawClient, clock: Any) -> None:
    for number in range(3):
        assert client.push_blob(b"%d" % number * (3 << 20)).status == 201
    assert client("POST", BEGIN).status == 503
    clock.advance(days=1, seconds=1)
    assert client("POST", BEGIN).status == 202


def test_what_is_never_published_leaves_the_disk(
    client: RawClient, clock: Any, settings: Any
) -> None:
    package = make_package()
    client.push_all(package)
    client.push_blob(DATA)
    clock.advance(days=1, seconds=1)
    begin(client)
    blobs = settings.directory / "blobs" / "sha256"
    assert not (blobs / DIGEST.hexadecimal).exists()
    for digest in package.blobs:
        if digest != package.manifest.digest:
            assert (blobs / digest.hexadecimal).exists()


# Mounting


def test_a_published_blob_is_mounted_from_another_repository(client: RawClient) -> None:
    package = make_package()
    client.push_all(package)
    blob = next(one for one in package.blobs if one != package.manifest.digest)
    path = f"/v2/rival/thing/blobs/uploads/?mount={blob}&from="
    assert client("POST", path + NAME).status == 201
    assert is_pushed(client, package.blobs[blob], "rival/thing")
    assert client("GET", f"/v2/rival/thing/blobs/{blob}").status == 404  # not published there


def test_an_unpublished_blob_is_not_mounted(client: RawClient) -> None:
    """Otherwise whoever guesses a digest could read what is not published yet."""
    client.push_blob(DATA)
    answer = client("POST", f"/v2/rival/thing/blobs/uploads/?mount={DIGEST}&from={NAME}")
    assert answer.status == 202
    assert not is_pushed(client, name="rival/thing")


@pytest.mark.parametrize("source", ["../../etc", "", "x", "a/b/c"])
def test_mounting_from_nonsense_is_refused(client: RawClient, source: str) -> None:
    answer = client("POST", f"/v2/rival/thing/blobs/uploads/?mount={DIGEST}&from={source}")
    assert answer.status == 400


# Manifests


def test_a_manifest_needs_its_blobs_first(client: RawClient) -> None:
    answer = client.push_manifest(manifest())
    assert answer.status == 404
    assert error_of(answer)["code"] == "MANIFEST_BLOB_UNKNOWN"
    client.push_blob(b"{}")
    answer = client.push_manifest(manifest())
    assert answer.status == 201
    assert "OCI-Subject" not in answer.headers


def test_blobs_of_another_repository_do_not_count(client: RawClient) -> None:
    client.push_blob(b"{}", "rival/thing")
    assert client.push_manifest(manifest()).status == 404


def test_a_subject_is_confirmed_even_if_it_is_unknown(client: RawClient) -> None:
    client.push_blob(b"{}")
    subject = {"mediaType": MANIFEST, "digest": f"sha256:{'1' * 64}", "size": 5}
    answer = client.push_manifest(manifest(subject=subject))
    assert answer.status == 201
    assert answer.headers["OCI-Subject"] == subject["digest"]


def test_a_manifest_under_another_digest_is_refused(client: RawClient) -> None:
    client.push_blob(b"{}")
    answer = client.push_manifest(manifest(), reference=str(DIGEST))
    assert answer.status == 400
    assert error_of(answer)["code"] == "DIGEST_INVALID"


def test_a_manifest_by_sha512_keeps_its_digest(client: RawClient) -> None:
    client.push_blob(b"{}")
    digest = Digest.of(manifest(), "sha512")
    answer = client.push_manifest(manifest(), reference=str(digest))
    assert answer.headers["Docker-Content-Digest"] == str(digest)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{}", id="no-fields"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"\xff", id="not-utf-8"),
        pytest.param(b"[" * 60_000, id="deep"),
        pytest.param(manifest(manifests=[]), id="manifest-and-index"),
        pytest.param(manifest(mediaType=INDEX), id="says-index"),
        pytest.param(manifest(layers="x"), id="layers-are-text"),
        pytest.param(manifest(layers=[{"digest": "x"}]), id="layer-without-digest"),
        pytest.param(manifest()[:-1] + b',"layers":[]}', id="layers-twice"),
        pytest.param(manifest().replace(b'"size": 2', b'"size": 3'), id="wrong-size"),
    ],
)
def test_what_is_no_manifest_is_refused(client: RawClient, data: bytes) -> None:
    client.push_blob(b"{}")
    answer = client.push_manifest(data)
    assert answer.status == 400
    assert error_of(answer)["code"] == "MANIFEST_INVALID"


def test_an_index_is_not_taken(client: RawClient) -> None:
    data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()
    answer = client("PUT", f"/v2/{NAME}/manifests/x", data, {"Content-Type": INDEX})
    assert answer.status == 400


# Paths


@pytest.mark.parametrize(
    "path",
    [
        "/v2/../../etc/passwd/manifests/x",
        "/v2/%2e%2e/%2e%2e/manifests/1.0.0",
        "/v2/..%2f..%2fetc/passwd/manifests/1.0.0",
        "/v2/acme/../manifests/1.0.0",
        "/v2/Acme/Counting/manifests/1.0.0",
        "/v2/acme/count%00ing/manifests/1.0.0",
        "/v2/acme/" + "a" * 300 + "/manifests/1.0.0",
        f"/v2/{NAME}/manifests/..",
        f"/v2/{NAME}/manifests/%2e%2e%2f%2e%2e",
        f"/v2/{NAME}/manifests/" + "a" * 200,
        f"/v2/{NAME}/blobs/sha256:..%2f..%2fcatalogue.sqlite",
        f"/v2/{NAME}/blobs/..%2f..%2fcatalogue.sqlite",
        f"/v2/{NAME}/blobs/" + "0" * 64,
        f"/v2/{NAME}/referrers/latest",
        "/api/v1/packages/acme/..%2f..",
        "/api/v1/packages/%2e/x",
    ],
)
def test_no_path_leads_out_of_the_repository(client: RawClient, path: str) -> None:
    address = urlsplit(client._url)
    # The standard library's client sends paths as they are; urllib3 resolves dots.
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status in {400, 404}
    assert json.loads(body)["errors"]


def test_a_page_and_a_method_there_are_none_of_are_answered_in_json(client: RawClient) -> None:
    assert error_of(client("GET", "/nowhere"))["code"] == "NOT_FOUND"
    answer = client("DELETE", f"/v2/{NAME}/manifests/1.0.0")
    assert answer.status == 405
    assert error_of(answer)["code"] == "UNSUPPORTED"


def test_it_says_that_it_is_there(client: RawClient) -> None:
    assert client("GET", "/healthz").json() == {"schema": "skep.dev/health/1", "status": "ok"}
    assert client("GET", "/v2/").status == 200


def test_part_of_a_blob_can_be_asked_for(client: RawClient) -> None:
    package = make_package()
    client.push_all(package)
    digest, data = next(
        (one, data) for one, data in package.blobs.items() if one != package.manifest.digest
    )
    answer = client("GET", f"/v2/{NAME}/blobs/{digest}", headers={"Range": "bytes=1-4"})
    assert (answer.status, answer.data) == (206, data[1:5])
    head = client("HEAD", f"/v2/{NAME}/blobs/{digest}")
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(data)))
    assert head.headers["Docker-Content-Digest"] == str(digest)
