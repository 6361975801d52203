import socket
import time

import pytest
from tests.fakes.registry import FakeRegistry, Fault

from skep.errors import SkepError
from skep.packages.client.errors import MalformedAnswer, MarketplaceUnavailable, RedirectRefused
from skep.packages.client.transport import Timeouts, Transport

PATH = "/v2/skep/limiter/tags/list"


@pytest.fixture
def transport(registry: FakeRegistry) -> Transport:
    return Transport(registry.url, Timeouts(connect=1, read=0.3, total=0.6))


def test_nobody_listening_is_unavailable_and_told_with_the_url() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(MarketplaceUnavailable) as caught:
            Transport(url, Timeouts(1, 1, 1)).request("GET", "/", largest=1)
    assert caught.value.message == f"the marketplace at {url} cannot be reached: connection refused"
    assert not caught.value.detail
    assert "check the URL" in caught.value.hint


def test_a_name_that_does_not_resolve_is_unavailable() -> None:
    with pytest.raises(MarketplaceUnavailable):
        Transport("http://market.invalid", Timeouts(1, 1, 1)).request("GET", "/", largest=1)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(Fault.HANGING, MarketplaceUnavailable, id="hanging"),
        pytest.param(Fault.DRIPPING, MarketplaceUnavailable, id="dripping"),
        pytest.param(Fault.DRIPPING_HEADERS, MarketplaceUnavailable, id="dripping-headers"),
        pytest.param(Fault.CLOSED, MarketplaceUnavailable, id="closed"),
        pytest.param(Fault.TRUNCATED, MarketplaceUnavailable, id="truncated"),
        pytest.param(Fault.HUGE, MalformedAnswer, id="huge"),
        pytest.param(Fault.COMPRESSED, MalformedAnswer, id="compressed"),
        pytest.param(Fault.REDIRECT_ELSEWHERE, RedirectRefused, id="redirect-elsewhere"),
        pytest.param(Fault.REDIRECT_LOOP, MalformedAnswer, id="redirect-loop"),
    ],
)
def test_misbehaviour_ends_soon_in_an_error_of_the_right_family(
    registry: FakeRegistry, transport: Transport, fault: Fault, error: type[SkepError]
) -> None:
    registry.faults["/tags/"] = fault
    started = time.monotonic()
    with pytest.raises(error):
        transport.request("GET", PATH, largest=1_000_000)
    assert time.monotonic() - started < 20  # they would go on for ever


@pytest.mark.parametrize("fault", [Fault.DRIPPING, Fault.DRIPPING_HEADERS])
def test_a_byte_now_and_then_is_too_slow(registry: FakeRegistry, fault: Fault) -> None:
    transport = Transport(registry.url, Timeouts(connect=30, read=30, total=0.6))
    registry.faults["/tags/"] = fault
    with pytest.raises(MarketplaceUnavailable, match=r"is too slow: \d+ bytes in \d+ seconds"):
        transport.request("GET", PATH, largest=1_000_000)


def test_many_slow_answers_are_too_slow_together(registry: FakeRegistry) -> None:
    transport = Transport(registry.url, Timeouts(connect=1, read=0.3, total=0.4, together=0.6))
    registry.faults["/tags/"] = Fault.DRIPPING
    for _ in range(20):
        with pytest.raises(MarketplaceUnavailable):
            transport.request("GET", PATH, largest=1_000_000)
    assert len(registry.requests) < 5


def test_what_keeps_coming_may_take_longer(registry: FakeRegistry) -> None:
    transport = Transport(registry.url, Timeouts(connect=30, read=30, total=1, slowest=1))
    registry.faults["/tags/"] = Fault.DRIPPING  # twenty bytes a second: faster than this slowest
    started = time.monotonic()
    with pytest.raises(MalformedAnswer):
        transport.request("GET", PATH, largest=25)
    assert time.monotonic() - started > 1


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.HUGE, Fault.HANGING, Fault.CLOSED])
def test_the_next_request_is_not_hurt(
    registry: FakeRegistry, transport: Transport, fault: Fault
) -> None:
    registry.faults["/tags/"] = fault
    with pytest.raises(SkepError):
        transport.request("GET", PATH, largest=1_000_000)
    registry.faults.clear()
    assert transport.request("GET", PATH, largest=1_000).status == 404


def test_a_redirect_on_the_same_host_is_followed(
    registry: FakeRegistry, transport: Transport
) -> None:
    registry.faults["/tags/"] = Fault.REDIRECT_HERE
    assert transport.request("GET", PATH, largest=1_000).status == 404


def test_an_upload_is_not_redirected(registry: FakeRegistry, transport: Transport) -> None:
    registry.faults["/uploads/"] = Fault.REDIRECT_HERE
    answer = transport.request("POST", "/v2/skep/limiter/blobs/uploads/", largest=10, body=b"x")
    assert answer.status == 307


def test_an_answer_of_just_the_limit_is_read_and_counted(
    registry: FakeRegistry, transport: Transport
) -> None:
    digest = registry.put("skep/limiter", b'{"schemaVersion":2,"config":{},"layers":[]}', "1.0.0")
    data = registry.manifests["skep/limiter", str(digest)]
    counted: list[int] = []
    answer = transport.request(
        "GET", "/v2/skep/limiter/manifests/1.0.0", largest=len(data), advance=counted.append
    )
    assert (answer.body, sum(counted)) == (data, len(data))
    with pytest.raises(MalformedAnswer):
        transport.request("GET", "/v2/skep/limiter/manifests/1.0.0", largest=len(data) - 1)


def test_a_large_error_answer_is_cut(registry: FakeRegistry, transport: Transport) -> None:
    answer = transport.request("GET", PATH, largest=0)
    assert answer.status == 404
    assert answer.body


@pytest.mark.parametrize(
    "location",
    [
        "http://other.example/x",
        "//other.example/x",
        "https://127.0.0.1/x",
        "http://127.0.0.1:1/x",
        "file:///etc/passwd",
        "http://[::1",
        "/x\r\nHost: y",
    ],
)
def test_a_location_elsewhere_is_refused(
    registry: FakeRegistry, transport: Transport, location: str
) -> None:
    with pytest.raises(RedirectRefused):
        transport.locate(registry.url + "/v2/", location)


@pytest.mark.parametrize("location", ["/v2/x", "x", "?a=b", ""])
def test_a_location_here_is_made_absolute(
    registry: FakeRegistry, transport: Transport, location: str
) -> None:
    assert transport.locate(registry.url + "/v2/", location).startswith(registry.url + "/v2/")
