"""``skep.toml``: what an author says about a package.

What is said here is what nobody can derive: names, words for people, where settings and metrics
live. Labels (permissions, requirements, cost) are derived from the bytecode and never read from
here. Every text in it that reaches a terminal is printable and one line.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from skep.errors import Misnamed
from skep.hooks.table import HOOKS
from skep.packages.errors import UnknownProgram, UnknownSetting
from skep.packages.fields import Fields, UnreadKey
from skep.packages.map_sizes import MapMetadata, read_map
from skep.packages.metrics import MetricSpec, read_metric
from skep.packages.names import (
    PACKAGE_NAME_RULE,
    is_identifier,
    is_one_line,
    is_package_name,
    is_relative_path,
    one_line,
)
from skep.packages.setting_types import Scalar
from skep.packages.settings import SettingSpec, parse_setting, read_setting
from skep.packages.toml_documents import parse_toml
from skep.packages.toml_problems import problems_of, refusal
from skep.versions import MalformedVersion, Version

_MOST_PROGRAMS = 32
_MOST_SETTINGS = 64
_MOST_METRICS = 64
_MOST_MAPS = 64

_CATEGORY = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*(?:/[a-z0-9]+(?:-[a-z0-9]+)*)?")
_COMPILER = re.compile(r"(?:zig|clang)(?:(?:==|>=)[0-9]+(?:\.[0-9]+){0,2})?")
# Loose on purpose: the SPDX list is large and changes; skep.packages.licences knows it, and is
# asked when a package is built and when it is vetted.
_LICENCE = re.compile(r"[A-Za-z0-9.+() -]{2,300}")


@dataclass(frozen=True, slots=True)
class BuildMetadata:
    """``[build]``: how the object files come from sources.

    Attributes:
        sources: C files, relative to the ``skep.toml``.
        compiler: ``zig==0.17.1`` or ``clang``; empty for the default.
        libbpf: ``system`` for the headers of an installed libbpf; empty for Skep's own.
    """

    sources: tuple[str, ...]
    compiler: str = ""
    libbpf: str = ""


@dataclass(frozen=True, slots=True)
class ProgramMetadata:
    """``[[program]]``: one program of the package.

    Attributes:
        name: function in an object file.
        hook: name of the hook, which wins over the section name.
        run_on: verdicts on which the chain goes on to the next program; none: it never does.
    """

    name: str
    hook: str
    run_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PackageMetadata:
    """A whole ``skep.toml``.

    Attributes:
        name: ``publisher/name``.
        version: of the package.
        summary: one line for people.
        licence: SPDX expression, as written.
        categories: ``network/limits``.
        build: ``None`` for packages made from object files only.
        programs: at least one.
        settings: in the author's order.
        metrics: in the author's order.
        maps: those it says something about, in the author's order.
        unknown: fields this version of Skep does not know, by path.
        unread: the same, each with the keys it could have been.
    """

    name: str
    version: Version
    summary: str
    licence: str
    categories: tuple[str, ...]
    build: BuildMetadata | None
    programs: tuple[ProgramMetadata, ...]
    settings: tuple[SettingSpec, ...]
    metrics: tuple[MetricSpec, ...]
    maps: tuple[MapMetadata, ...] = ()
    unknown: Mapping[str, object] = field(
        default_factory=lambda: MappingProxyType({}), compare=False
    )
    unread: tuple[UnreadKey, ...] = field(default=(), compare=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an author should look at, though it breaks nothing."""
        return tuple(f"{path}: not known to this version of Skep" for path in self.unknown)

    @property
    def publisher(self) -> str:
        """The part of the name before the slash."""
        return self.name.partition("/")[0]

    @property
    def program_types(self) -> Mapping[str, str]:
        """Kernel program type by function, as the hooks say; they win over section names."""
        return {program.name: HOOKS[program.hook].program_type for program in self.programs}

    def program(self, name: str) -> ProgramMetadata:
        """The program called ``name``.

        Raises:
            UnknownProgram: with the names there are.
        """
        return _named(self.programs, name, "program", UnknownProgram, self.name)

    def setting(self, name: str) -> SettingSpec:
        """The setting called ``name``.

        Raises:
            UnknownSetting: with the names there are.
        """
        return _named(self.settings, name, "setting", UnknownSetting, self.name)

    @property
    def default_texts(self) -> dict[str, str | None]:
        """Texts of the defaults by setting; ``None`` for a single value that has none."""
        return {each.name: each.default_text for each in self.settings}

    def values_in_force(self, chosen: Mapping[str, str]) -> dict[str, tuple[Scalar, ...] | None]:
        """Values by setting: chosen ones, else defaults; ``None`` where there is neither.

        Raises:
            UnknownSetting, WrongSetting: something was chosen that does not fit.
        """
        for name in chosen:
            self.setting(name)
        texts = {**self.default_texts, **chosen}
        return {each.name: _members(each, texts[each.name]) for each in self.settings}


def _members(spec: SettingSpec, text: str | None) -> tuple[Scalar, ...] | None:
    return None if text is None else parse_setting(spec, text).members


_Named = TypeVar("_Named", ProgramMetadata, SettingSpec)


def _named(
    values: tuple[_Named, ...],
    name: str,
    what: str,
    error: type[UnknownProgram | UnknownSetting],
    package: str,
) -> _Named:
    for value in values:
        if value.name == name:
            return value
    known = tuple(value.name for value in values)
    raise error(
        f"{package} has no {what} {one_line(name, 60)!r}",
        hint=f"{what}s of the package: {', '.join(known) or 'none'}",
        misnamed=Misnamed(name, known),
    )


def _read_version(package: Fields) -> Version:
    text = package.text("version", "a version such as 1.2.0")
    try:
        return Version.parse(text) if text else Version(0, 0, 0)
    except MalformedVersion as error:
        package.problem("version", error.message)
        return Version(0, 0, 0)


def _read_program(fields: Fields) -> ProgramMetadata:
    name = fields.text("name", "the name of a function", is_identifier)
    hook_name = fields.text("hook", f"one of {', '.join(sorted(HOOKS))}", lambda t: t in HOOKS)
    chain = fields.table("chain")
    hook = HOOKS.get(hook_name)
    if hook is None:
        run_on = chain.texts("run_on", "verdicts", lambda _: True, required=False)
    elif "run_on" in chain:
        run_on = chain.texts(
            "run_on", f"one of {', '.join(hook.verdicts)}", lambda text: text in hook.verdicts
        )
    else:
        run_on = hook.default_run_on
    return ProgramMetadata(name, hook_name, run_on)


def _check_sizers(document: Fields, settings: tuple[SettingSpec, ...]) -> None:
    sized: dict[str, str] = {}
    for spec in settings:
        name = spec.max_entries_of
        if name is not None and sized.setdefault(name, spec.name) != spec.name:
            document.problem(
                f"settings.{spec.name}.max_entries_of", f"{sized[name]} sizes map {name} already"
            )


def parse_metadata(toml: bytes) -> PackageMetadata:
    """Read a ``skep.toml``.

    The licence's form is checked here, not whether SPDX knows it; maps, functions and variables
    are not looked up in any object file.

    Raises:
        MalformedMetadata: with all problems of the document in ``detail``, each with its path.
    """
    document = Fields(parse_toml(toml))
    package = document.table("package", required=True)
    build = document.table("build")
    build_metadata = None
    if "build" in document:
        build_metadata = BuildMetadata(
            build.texts("sources", "relative paths", is_relative_path),
            build.text(
                "compiler",
                "a compiler such as zig==0.17.1 or clang",
                lambda text: _COMPILER.fullmatch(text) is not None,
                required=False,
            ),
            build.text(
                "libbpf",
                "system, or nothing for Skep's own headers",
                lambda text: text == "system",
                required=False,
            ),
        )

    programs: list[ProgramMetadata] = []
    for table in document.tables("program", _MOST_PROGRAMS):
        program = _read_program(table)
        if program.name and any(other.name == program.name for other in programs):
            table.problem("name", f"there are two programs {program.name}")
        programs.append(program)
    if not programs:
        document.problem("program", "expected at least one [[program]]")

    settings = tuple(
        read_setting(name, table)
        for name, table in document.named_tables("settings", _MOST_SETTINGS)
    )
    metrics = tuple(
        read_metric(name, table) for name, table in document.named_tables("metrics", _MOST_METRICS)
    )

    maps = tuple(read_map(name, table) for name, table in document.named_tables("maps", _MOST_MAPS))
    _check_sizers(document, settings)

    metadata = PackageMetadata(
        name=package.text("name", PACKAGE_NAME_RULE, is_package_name),
        version=_read_version(package),
        summary=package.text("summary", "one line of at most 200 characters", is_one_line),
        licence=package.text(
            "licence",
            "an SPDX expression such as GPL-2.0-only",
            lambda text: _LICENCE.fullmatch(text) is not None,
        ),
        categories=package.texts(
            "categories",
            "categories such as network/limits",
            lambda text: len(text) <= 64 and _CATEGORY.fullmatch(text) is not None,
            required=False,
        ),
        build=build_metadata,
        programs=tuple(programs),
        settings=settings,
        metrics=metrics,
        maps=maps,
    )
    if document.problems:
        raise refusal(toml, problems_of(document))
    return replace(
        metadata,
        unknown=MappingProxyType(document.unread()),
        unread=tuple(document.unread_keys()),
    )
