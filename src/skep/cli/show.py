"""``skep show``: what a marketplace says about a package."""

from collections.abc import Iterator, Mapping

import click

from skep.cli.context import invocation
from skep.cli.options import Command, argument, json_option, marketplace_option, quiet_option
from skep.cli.output import Output, human_bytes


def _entries(value: object) -> list[Mapping[str, object]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _lines(
    package: str, version: Mapping[str, object], others: list[str], output: Output
) -> Iterator[str]:
    from functools import partial

    from skep.cli.label import field_lines
    from skep.cli.licence_rows import class_line

    rows = partial(field_lines, width=output.width)
    label = version["label"] if isinstance(version["label"], dict) else {}
    verdict = version["verdict"] if isinstance(version["verdict"], dict) else {}
    name = output.style(f"{package} {version['version']}", "bold")
    yield f"{name}  {version['summary']}"
    yield from rows("digest", [str(version["digest"])])
    yield from rows("published", [str(version["published_at"])])
    yield from rows("signed by", [str(version["signed_by"])])
    yield from rows("reviewed", [f"{verdict.get('outcome', 'not')}, automatically"])
    strings = label.get("kernel_licences", [])
    kernel = ", ".join(map(str, strings)) if isinstance(strings, list) else ""
    yield from rows("licence", [class_line(str(version["licence"])), f"kernel licence {kernel}"])
    sentences = []
    for entry in _entries(label.get("permissions")):
        if entry.get("confidence") == "excluded":
            continue
        doubt = "cannot be excluded: " if entry.get("confidence") == "possible" else ""
        sentences.append(f"{entry.get('severity')!s:<8} {doubt}{entry.get('text')}")
    yield from rows("may", sentences or ["no permissions detected"])
    yield from rows("needs", [f"Linux {label.get('oldest_kernel')} or newer"])
    size = label.get("map_bytes", 0)
    memory = human_bytes(size if isinstance(size, int) else 0)
    yield from rows("costs", [f"{memory} of memory, {label.get('instructions')} instructions"])
    if others:
        yield from rows("versions", [", ".join(others)])


@click.command("show", cls=Command)
@argument("reference", metavar="REF", help="[MARKETPLACE/]publisher/name[:version].")
@marketplace_option
@json_option
@quiet_option
def command(*, reference: str, marketplace: str | None, json: bool, quiet: bool) -> None:
    """Show what a package in a marketplace may do, needs, costs, and who signed it."""
    from skep.cli.asking import connected, known_marketplaces
    from skep.errors import NotFound
    from skep.packages.references import parse_reference

    run = invocation(json=json, quiet=quiet)
    wanted = parse_reference(reference)
    place = known_marketplaces(run.environment).of(wanted, marketplace)
    with connected(place) as client:
        listed = client.show(wanted.publisher, wanted.name)
    version = listed.meant(wanted.version, wanted.digest)
    known = [str(one.version) for one in listed.versions]
    if version is None:
        raise NotFound(f"{place} has no {reference}", hint=f"versions there: {', '.join(known)}")
    document: Mapping[str, object] = {
        "version": str(version.version),
        "digest": str(version.digest),
        "published_at": version.published_at,
        "summary": version.summary,
        "licence": version.licence,
        "signed_by": version.signed_by,
        "label": dict(version.label),
        "verdict": dict(version.verdict),
    }
    run.output.emit(
        {"marketplace": place.url, "package": wanted.package, **document, "versions": known},
        lambda: _lines(wanted.package, document, known if len(known) > 1 else [], run.output),
    )
