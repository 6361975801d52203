"""Marketplaces by name: which ones a person or a node knows, and which one is meant.

Two files of one format are read, the user's and the node's; the user's wins. What was said for one
command (``--marketplace``) wins over ``SKEP_MARKETPLACE``, which wins over both. If none of them
says anything, a marketplace on this machine is meant, as ``skep serve`` opens it; nobody *chose*
it, so it is only asked for what is not here.

A name only chooses where to ask. Whom to believe is decided by keys, and a key is trusted for a
publisher, not for a marketplace: see :mod:`skep.trust`.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fcntl import LOCK_EX, flock
from pathlib import Path

from skep.errors import Conflict, Malformed, Misnamed, NotFound, Unsupported, UsageError
from skep.file_modes import make_directory, open_file
from skep.packages.errors import MalformedMetadata
from skep.packages.fields import Fields
from skep.packages.local.errors import NoSuchContent
from skep.packages.local.files import read_regular, write_atomically, writing
from skep.packages.local.urls import (
    is_loopback,
    marketplace_url,
    origin_of,
    url_of_host,
)
from skep.packages.names import MARKETPLACE_NAME_RULE, is_marketplace_name, one_line
from skep.packages.references import Reference, host_form, is_host
from skep.packages.toml_documents import parse_toml
from skep.packages.toml_writing import toml_text

DEFAULT_URL = "http://127.0.0.1:8750"
_LARGEST = 64 * 1024  # bytes of a file
_VERSION = 1


class MalformedConfiguration(Malformed):
    """A file of marketplaces cannot be read."""


class UnsupportedConfiguration(Unsupported):
    """A later version of Skep has written the file."""


class UnknownMarketplace(NotFound):
    """No marketplace of this name is configured."""


class MarketplaceExists(Conflict):
    """The name stands for another URL already."""


@dataclass(frozen=True, slots=True)
class Marketplace:
    """A place to ask.

    Attributes:
        url: its base URL.
        name: it is configured under; empty if it is not.
        is_chosen: somebody said so; ``False`` for the one that is meant if nobody says anything.
        others: names that are configured, none of which is the default; for people.
    """

    url: str
    name: str = ""
    is_chosen: bool = True
    others: tuple[str, ...] = field(default=(), compare=False)

    @property
    def origin(self) -> str:
        """As tags and references name it."""
        return origin_of(self.url)

    @property
    def short(self) -> str:
        """How people type it: its name, otherwise its host."""
        return self.name or self.origin

    def __str__(self) -> str:
        return f"{self.name} ({self.url})" if self.name else self.url


@dataclass(frozen=True, slots=True)
class Configuration:
    """One file of marketplaces.

    Attributes:
        path: of the file; it need not exist.
        urls: by name, as in the file.
        default: name; empty if the file has none.
        document: everything in the file, also what this version does not know.
    """

    path: Path
    urls: Mapping[str, str] = field(default_factory=dict)
    default: str = ""
    document: Mapping[str, object] = field(default_factory=dict)

    def adding(self, name: str, url: str) -> "Configuration":
        """With one more marketplace; the same again is no change.

        Raises:
            UsageError: the name or the URL cannot be one.
            MarketplaceExists: the name stands for another URL.
        """
        check_name(name)
        url = check_url(url)
        if self.urls.get(name, url) != url:
            raise MarketplaceExists(
                f"{name} is {self.urls[name]} already",
                hint=f"skep marketplace remove {name}",
            )
        return self._with({**self.urls, name: url}, self.default)

    def removing(self, name: str) -> "Configuration":
        """Without a marketplace; without a default, if it was that.

        Raises:
            UnknownMarketplace: there is none of this name in this file.
        """
        self._require(name)
        urls = {known: url for known, url in self.urls.items() if known != name}
        return self._with(urls, "" if self.default == name else self.default)

    def defaulting(self, name: str) -> "Configuration":
        """With another default."""
        return self._with(self.urls, check_name(name))

    def _require(self, name: str) -> None:
        if name not in self.urls:
            raise UnknownMarketplace(
                f"{self.path} has no marketplace {one_line(name)!r}",
                hint=f"it has: {', '.join(sorted(self.urls)) or 'none'}",
                misnamed=Misnamed(name, tuple(self.urls)),
            )

    def _with(self, urls: Mapping[str, str], default: str) -> "Configuration":
        before = self.document.get("marketplaces")
        tables = before if isinstance(before, dict) else {}
        document = {"version": _VERSION, **self.document}
        document.pop("default", None)
        document.pop("marketplaces", None)
        if default:
            document["default"] = default
        document["marketplaces"] = {
            name: {**_table(tables.get(name)), "url": url} for name, url in urls.items()
        }
        return replace(self, urls=dict(urls), default=default, document=document)


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def check_name(name: str) -> str:
    """Return a name if it can be one.

    Raises:
        UsageError: it cannot, above all if it could be taken for a host.
    """
    if not is_marketplace_name(name):
        raise UsageError(
            f"expected a name for a marketplace, got {one_line(name)!r}",
            hint=f"{MARKETPLACE_NAME_RULE}; a dot, a colon and localhost make it a host",
        )
    return name


def check_url(text: str) -> str:
    """Return the base URL in the form that is kept.

    Raises:
        UsageError: it is none, or not encrypted and of another machine. Content is verified
            wherever it comes from, but whoever listens would learn what runs here, and whoever
            answers in its place could hide new versions and offer keys of their own.
    """
    url = marketplace_url(text)
    origin = origin_of(url)
    if not url.startswith("https://") and not is_loopback(origin):
        raise UsageError(
            f"expected an https:// URL, got {one_line(text)!r}",
            hint="plain http:// is for this machine (127.0.0.1, localhost) only",
        )
    return url


def read_configuration(path: Path) -> Configuration:
    """Read a file; one that does not exist says nothing.

    Raises:
        MalformedConfiguration: with everything that is wrong in ``detail``.
        UnsupportedConfiguration: a later version of Skep has written it.
        StoreNotAccessible: this user may not read it.
    """
    try:
        # The file may be a link of its owner's, to where they keep such files.
        data = read_regular(path.resolve(), _LARGEST)
    except NoSuchContent:
        return Configuration(path)
    except (OSError, RuntimeError) as error:  # a loop of links
        raise MalformedConfiguration(f"{path} cannot be read: {error}") from error
    hint = f"correct the file, or move it away and use skep marketplace add: {path}"
    try:
        document = parse_toml(data, str(path))
    except MalformedMetadata as error:
        raise MalformedConfiguration(error.message, hint=hint) from error
    fields = Fields(document)
    version = document.get("version")
    if isinstance(version, int) and version > _VERSION:
        raise UnsupportedConfiguration(
            f"{path} has version {version}, this version of Skep reads {_VERSION}",
            hint="use a later version of Skep",
        )
    if version != _VERSION or isinstance(version, bool):
        fields.problem("version", f"expected {_VERSION}")
    default = fields.text("default", "a name", is_marketplace_name, required=False)
    urls = {}
    tables = document.get("marketplaces", {})
    if not isinstance(tables, dict):
        fields.problem("marketplaces", "expected a table")
        tables = {}
    for name, table in tables.items():
        where = f"marketplaces.{one_line(name)}"
        url = table.get("url") if isinstance(table, dict) else None
        if not is_marketplace_name(name):
            fields.problem(where, f"expected a name of {MARKETPLACE_NAME_RULE}")
        elif not isinstance(url, str):
            fields.problem(where, "expected a url")
        else:
            try:
                urls[name] = check_url(url)
            except UsageError as error:
                fields.problem(where, error.message)
    if fields.problems:
        raise MalformedConfiguration(
            f"{path}: {fields.problems[0]}", hint=hint, detail="\n".join(fields.problems)
        )
    return Configuration(path, urls, default, document)


def change_configuration(
    path: Path, change: Callable[[Configuration], Configuration]
) -> Configuration:
    """Read, change and write a file, one process at a time.

    The file is replaced as a whole, so that a reader sees the old one or the new one. A new
    directory is its owner's alone; the file holds no secret.

    Raises:
        SkepError: reading or ``change`` failed, or it cannot be written; nothing is changed.
    """
    with _locked(path):
        before = read_configuration(path)
        after = change(before)
        if after.document != before.document:
            with writing(path.parent):
                write_atomically(path.resolve(), toml_text(after.document).encode("utf-8"))
    return after


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with writing(path.parent):
        make_directory(path.parent)
        # Closed to others, who could hold a lock they can open for ever.
        lock = open_file(path.parent / f".{path.name}.lock", os.O_RDWR)
    try:
        flock(lock, LOCK_EX)
        yield
    finally:
        os.close(lock)


@dataclass(frozen=True, slots=True)
class Marketplaces:
    """Everything that is known about where to ask.

    Attributes:
        user: the user's file.
        node: the node's file.
        chosen: ``SKEP_MARKETPLACE``: URL, name or host; empty if it is not set.
    """

    user: Configuration
    node: Configuration
    chosen: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All that are configured, in order."""
        return tuple(sorted({*self.user.urls, *self.node.urls}))

    def named(self, name: str) -> Marketplace:
        """A configured marketplace.

        Raises:
            UnknownMarketplace: there is none of this name.
        """
        for configuration in (self.user, self.node):
            if name in configuration.urls:
                return Marketplace(configuration.urls[name], name)
        raise UnknownMarketplace(
            f"there is no marketplace {one_line(name)!r}; configured: "
            f"{', '.join(self.names) or 'none'}",
            hint=f"skep marketplace add {one_line(name)} https://market.example",
            misnamed=Misnamed(name, tuple(self.names)),
        )

    def find(self, text: str) -> Marketplace:
        """A marketplace by URL, name or host, as a person types it.

        Raises:
            UnknownMarketplace: there is none of this name.
            UsageError: the text is none of these.
        """
        if "://" in text or "@" in text:
            url = marketplace_url(text)
            return self._configured(url=url) or Marketplace(url)
        if is_marketplace_name(text):
            return self.named(text)
        host = host_form(text) if is_host(text.partition("/")[0]) else None
        if host is None:
            raise UsageError(
                f"expected a marketplace's name, URL or host, got {one_line(text)!r}",
                hint="skep marketplace list",
            )
        return self._at(host)

    def _at(self, host: str) -> Marketplace:
        # A configured marketplace says how its host is asked.
        if self.chosen and "://" in self.chosen and origin_of(self.chosen) == host:
            return self.find(self.chosen)
        return self._configured(origin=host) or Marketplace(url_of_host(host))

    def _configured(self, *, url: str = "", origin: str = "") -> Marketplace | None:
        for configuration in (self.user, self.node):
            for name, known in configuration.urls.items():
                is_shadowed = self.named(name).url != known
                if not is_shadowed and (known == url or origin_of(known) == origin):
                    return Marketplace(known, name)
        return None

    def default(self) -> Marketplace:
        """The marketplace that is meant where none is named.

        Raises:
            UnknownMarketplace: a file or ``SKEP_MARKETPLACE`` names one that is not configured.
        """
        if self.chosen:
            return self.find(self.chosen)
        name = self.user.default or self.node.default
        if name:
            return self.named(name)
        return Marketplace(DEFAULT_URL, is_chosen=False, others=self.names)

    def of(self, reference: Reference, option: str | None = None) -> Marketplace:
        """The marketplace a reference means.

        Args:
            reference: as it was typed.
            option: of ``--marketplace``.

        Raises:
            UnknownMarketplace: it names one that is not configured.
            UsageError: the reference and the option name different ones.
        """
        said = self.find(option) if option else None
        if reference.host is not None:
            meant = self._at(reference.host)
        elif reference.marketplace is not None:
            meant = self.named(reference.marketplace)
        else:
            return said or self.default()
        if said is not None and said.origin != meant.origin:
            raise UsageError(
                f"{reference} is from {meant}, --marketplace says {said}",
                hint="leave one of them out",
            )
        return said or meant

    def located(self, reference: Reference) -> Reference:
        """The reference with the host instead of the name of a marketplace."""
        if reference.marketplace is None:
            return reference
        origin = self.named(reference.marketplace).origin
        return replace(reference, marketplace=None, host=origin)

    @property
    def default_origin(self) -> str | None:
        """Origin of the default marketplace; ``None`` if none is configured."""
        default = self.default()
        return default.origin if default.is_chosen else None
