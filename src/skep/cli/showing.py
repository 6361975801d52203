"""What ``skep show`` prints: a marketplace's claims, and what this machine makes of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from skep.bytecode.analysis.label import Label
from skep.cli.environment import Environment
from skep.cli.label import label_lines, licence_values
from skep.cli.metadata_rows import metadata_lines
from skep.cli.output import counted
from skep.cli.rows import field_lines
from skep.cli.surfaces import Surface
from skep.hooks.table import find_hook
from skep.node.verified.trust_store import TrustStore
from skep.packages.metadata import PackageMetadata
from skep.packages.wire.package_listing import PackageListing
from skep.packages.wire.version_listing import VersionListing

_DATE = 10  # characters of a date at the start of RFC 3339


@dataclass(frozen=True, slots=True)
class Shown:
    """A version of a package in a marketplace.

    Attributes:
        listing: all its versions.
        version: the one that is meant.
        metadata: what the author says.
        trusted_since: since when the key that is said to have signed it is trusted here; ``None``
            if it is not.
        reference: what to type to get it.
    """

    listing: PackageListing
    version: VersionListing
    metadata: PackageMetadata
    trusted_since: datetime | None
    reference: str


def trusted_since(environment: Environment, publisher: str, fingerprint: str) -> datetime | None:
    """Since when a key is trusted here; ``None`` if it is not, or nobody may look."""
    try:
        return TrustStore(environment.trust).trusted_since(publisher, fingerprint)
    except OSError:
        return None


def shown_lines(shown: Shown, surface: Surface) -> Iterator[str]:
    """The label and everything around it.

    Raises:
        MalformedReport: the label is of a later version.
    """
    version = shown.version
    label = Label.from_document(version.label)
    yield surface.style(f"{version.package} {version.version}", "bold")
    yield version.summary
    yield ""
    licence = licence_values(label, version.licence)
    yield from label_lines(label, surface, licence=licence)
    yield from field_lines("Signed", _signed_values(shown, surface), surface)
    yield from field_lines("Vetted", [_vetted_value(version.verdict, surface)], surface)
    yield from field_lines("Digest", [str(version.digest)], surface)
    yield ""
    yield from metadata_lines(shown.metadata, surface)
    versions = [f"{one.version} {one.published_at[:_DATE]}" for one in shown.listing.versions]
    yield from field_lines("Versions", ["   ".join(versions)], surface)
    yield ""
    hook = find_hook(shown.metadata.programs[0].hook)
    on = f"{hook.name}:{hook.target.example}"
    yield surface.style(f"skep install {shown.reference} --on {on}", "cyan")


def _signed_values(shown: Shown, surface: Surface) -> list[str]:
    publisher = shown.metadata.publisher
    if not shown.version.signed_by:
        return [surface.style("! unsigned", "red")]
    if shown.trusted_since is None:
        trust = "key not trusted here"
    else:
        trust = (
            f"{surface.style('✓', 'green')} key trusted here since {shown.trusted_since:%Y-%m-%d}"
        )
    return [f"by {publisher}  {trust}", shown.version.signed_by]


def _vetted_value(verdict: Mapping[str, object], surface: Surface) -> str:
    """What the marketplace's own review said; its claim."""
    outcome = verdict.get("outcome")
    if outcome is None:
        return "not reviewed"
    text = f"automatic {surface.style('✓', 'green')}" if outcome == "accepted" else str(outcome)
    findings = verdict.get("findings")
    known = findings if isinstance(findings, list) else []
    named = (each.get("rule") for each in known if isinstance(each, dict))
    rules = list(dict.fromkeys(str(rule) for rule in named if rule))
    if not rules:
        return text
    return f"{text}   {counted(len(rules), 'warning')}: {', '.join(rules)}"
