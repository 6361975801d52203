"""What an author says about a package (programs, settings, metrics), as rows and as a document."""

from collections.abc import Iterator, Sequence

from skep.cli.rows import column_lines
from skep.cli.surfaces import Surface
from skep.packages.metadata import PackageMetadata
from skep.packages.settings import SettingSpec


def metadata_lines(metadata: PackageMetadata, surface: Surface) -> Iterator[str]:
    """Programs with their hooks, settings with type and default, metrics with their kind."""
    programs = [
        [each.name, each.hook, continuation_text(each.run_on)] for each in metadata.programs
    ]
    settings = [
        [each.name, each.type, _default_text(each), each.help] for each in metadata.settings
    ]
    metrics = [[each.name, each.kind, each.help] for each in metadata.metrics]
    yield from column_lines("Programs", programs, surface)
    yield from column_lines("Settings", settings, surface)
    yield from column_lines("Metrics", metrics, surface)


def _default_text(setting: SettingSpec) -> str:
    """The default; members of a set apart, so that a line can end between them."""
    text = setting.default or "(none)"
    return text.replace(",", ", ") if setting.is_set else text


def continuation_text(run_on: Sequence[str]) -> str:
    """On which verdicts the next program of a chain runs; empty if on none.

    >>> continuation_text(["pass"])
    'continues on: pass'
    """
    return f"continues on: {', '.join(run_on)}" if run_on else ""


def metadata_document(metadata: PackageMetadata) -> dict[str, object]:
    """The same for ``--json``; without a default nothing is written until it is set."""
    return {
        "programs": [
            {"name": each.name, "hook": each.hook, "run_on": [*each.run_on]}
            for each in metadata.programs
        ],
        "settings": [
            {"name": each.name, "type": each.type, "default": each.default, "help": each.help}
            for each in metadata.settings
        ],
        "metrics": [
            {"name": each.name, "kind": each.kind, "help": each.help} for each in metadata.metrics
        ],
    }
