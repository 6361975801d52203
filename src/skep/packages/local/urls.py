"""URLs of marketplaces, and the places they stand for."""

from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

from skep.errors import UsageError
from skep.packages.names import one_line
from skep.packages.references import host_form

_PORTS = {"http": 80, "https": 443}


def marketplace_url(text: str) -> str:
    """The base URL of a marketplace, without a trailing slash.

    >>> marketplace_url("http://localhost:8750/")
    'http://localhost:8750'

    Raises:
        UsageError: it is no http or https URL, or carries a password, a query or a fragment.
    """
    if "@" in text:
        # It would be kept in files, and printed; whatever it is, it is not printed now.
        raise UsageError(
            "the URL of a marketplace may not contain a user or password",
            hint="for example https://marketplace.example, or http://localhost:8750",
        )
    try:
        parts = urlsplit(text)
        usable = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or not text.isprintable():
        raise UsageError(
            f"expected the URL of a marketplace, got {one_line(text)!r}",
            hint="for example https://marketplace.example, or http://localhost:8750",
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def is_loopback(host: str) -> bool:
    """Whether ``host[:port]`` is this machine, whatever listens there.

    >>> is_loopback("localhost:8750"), is_loopback("[::1]"), is_loopback("127.example")
    (True, True, False)
    """
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def url_of_host(host: str) -> str:
    """Where a host in a reference is asked: with HTTPS, except on this machine.

    >>> url_of_host("market.example"), url_of_host("localhost:8750")
    ('https://market.example', 'http://localhost:8750')
    """
    return marketplace_url(f"{'http' if is_loopback(host) else 'https'}://{host}")


def origin_of(url: str) -> str:
    """The place a marketplace's URL stands for, as a reference names it.

    >>> origin_of("https://Market.Example:443/"), origin_of("http://market.example")
    ('market.example', 'market.example:80')

    Raises:
        UsageError: it is no URL of a marketplace, or no reference can name it.
    """
    scheme, name, port = web_origin(marketplace_url(url))
    host = f"[{name}]" if ":" in name else name
    form = host_form(f"{host}:{port}{urlsplit(marketplace_url(url)).path}")
    if form is None:
        raise UsageError(
            f"expected {scheme}://, a host and perhaps a port and a plain path, got"
            f" {one_line(url)!r}",
            hint="for example https://marketplace.example, or http://localhost:8750",
        )
    return form


def web_origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what must be the same for a request to reach the same place."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
