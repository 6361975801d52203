import pytest

from skep.errors import UsageError
from skep.packages.local.urls import marketplace_url, origin_of, url_of_host


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://localhost:8750/", "http://localhost:8750"),
        ("https://market.example", "https://market.example"),
        ("https://market.example/skep/", "https://market.example/skep"),
    ],
)
def test_a_url_is_kept_without_its_last_slash(text: str, expected: str) -> None:
    assert marketplace_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("market.example", id="no-scheme"),
        pytest.param("ftp://market.example", id="other-scheme"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("http://", id="no-host"),
        pytest.param("http://host:port", id="no-port-number"),
        pytest.param("http://host:99999", id="port-too-large"),
        pytest.param("http://user:secret@host", id="password"),
        pytest.param("http://host/?q", id="query"),
        pytest.param("http://host/#f", id="fragment"),
        pytest.param("http://[::1", id="open-bracket"),
        pytest.param("http://ho\x1bst", id="control-character"),
    ],
)
def test_other_urls_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        marketplace_url(text)


def test_a_password_in_a_url_is_not_printed() -> None:
    with pytest.raises(UsageError, match="may not contain a user or password") as caught:
        marketplace_url("https://user:secret@market.example")
    assert "secret" not in f"{caught.value.message} {caught.value.hint} {caught.value.detail}"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        pytest.param("https://Market.Example", "market.example", id="https"),
        pytest.param("https://market.example:443/", "market.example", id="port-of-https"),
        pytest.param("https://market.example:8443", "market.example:8443", id="port"),
        pytest.param("http://market.example", "market.example:80", id="http-is-another-place"),
        pytest.param("https://market.example/ebpf/", "market.example/ebpf", id="path"),
        pytest.param("http://[::1]:8750", "[::1]:8750", id="ipv6"),
        pytest.param("https://registry", "registry:443", id="a-name-alone-would-be-no-host"),
        pytest.param("http://my_registry:5000", "my_registry:5000", id="underscore"),
    ],
)
def test_a_url_stands_for_a_place(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize("url", ["https://h.example/a%20b", "https://exämple.test"])
def test_a_url_that_no_reference_can_name_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        origin_of(url)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("market.example", "https://market.example"),
        ("market.example:8080/ebpf", "https://market.example:8080/ebpf"),
        ("localhost", "http://localhost"),
        ("127.0.0.2:80", "http://127.0.0.2:80"),
        ("[::1]:8750", "http://[::1]:8750"),
        ("127.0.0.1.example", "https://127.0.0.1.example"),
    ],
)
def test_a_host_is_asked_with_https_except_on_this_machine(host: str, url: str) -> None:
    assert url_of_host(host) == url
