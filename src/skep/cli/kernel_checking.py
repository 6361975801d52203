"""``skep inspect --kernel``: whether an object fits a kernel."""

import os
import platform
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from click.exceptions import Exit

from skep.bytecode.analysis.fit_findings import FitFinding, Fits, KernelFit
from skep.bytecode.analysis.kernel_fit import fit_to_types, fit_to_version
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.vmlinux import types_in
from skep.cli.context import current_output
from skep.cli.output import Output
from skep.cli.progress import working
from skep.cli.subjects import Inspected
from skep.cli.surfaces import wrapped
from skep.errors import FAMILIES, NotFound, NotPermitted, UsageError
from skep.json_documents import schema_id
from skep.versions import KernelVersion, MalformedVersion, backporting_vendor

RUNNING = "running"
_RUNNING_TYPES = Path("/sys/kernel/btf/vmlinux")
_COLOURS = {"no": "red", "unknown": "yellow", "warning": "yellow", "note": "dim"}


def check_kernel(
    subject: Inspected, kernel: str, output: Output, *, is_strict: bool = False
) -> None:
    """Say whether every object fits, and leave with the code of ``unsupported`` if one does not.

    Args:
        kernel: a vmlinux, a file of BTF, a version such as 5.15, or ``running``.
        is_strict: leave with that code too if it cannot be told.

    Raises:
        UsageError: it is none of these.
        MalformedBtf, NotFound, NotPermitted: the file cannot be read.
    """
    heading, fits = _fits(subject, kernel)
    answers = [fit.fits for fit in fits.values()]
    all_fit: Fits = False if False in answers else "unknown" if "unknown" in answers else True
    output.emit(
        {
            **subject.document,
            "schema": schema_id("inspect-kernel"),
            "kernel": kernel,
            "fits": all_fit,
            "objects": {title: fit.to_document() for title, fit in fits.items()},
        },
        lambda: _lines(f"{subject.title}  on  {heading}", fits, output),
    )
    if all_fit is False or (is_strict and all_fit == "unknown"):
        raise Exit(FAMILIES["unsupported"].exit_code)


def _fits(subject: Inspected, kernel: str) -> tuple[str, Mapping[str, KernelFit]]:
    path = _RUNNING_TYPES if kernel == RUNNING else Path(kernel)
    if kernel == RUNNING or path.exists():
        with working(f"reading the types of {kernel}", current_output()):
            types = KernelTypes.build(read_types(path))
        release = platform.release() if kernel == RUNNING else ""
        name = f"Linux {release}, this machine" if kernel == RUNNING else kernel
        is_plain = bool(release) and not backporting_vendor(release)
        told = KernelVersion.parse(release) if is_plain else None
        return name, {
            title: fit_to_types(each, types, program_types=subject.program_types, version=told)
            for title, each in subject.read().items()
        }
    try:
        version = KernelVersion.parse(kernel)
    except MalformedVersion as error:
        raise UsageError(
            f"expected a vmlinux, a file of BTF, a kernel version such as 5.15, or {RUNNING!r}; "
            f"got {kernel!r}, and there is no file of that name"
        ) from error
    vendor = backporting_vendor(kernel)
    orders = {title: each.byteorder for title, each in subject.read().items()}
    fits = {}
    for title, report in subject.reports().items():
        fit = fit_to_version(report, version, vendor=vendor)
        if orders[title] == "big":
            note = FitFinding(level="note", what="it is for big-endian machines only")
            fit = replace(fit, findings=(*fit.findings, note))
        fits[title] = fit
    return f"Linux {kernel if vendor else version}", fits


def read_types(path: Path) -> bytes:
    """The types in a vmlinux, or a file of nothing but types.

    Raises:
        NotFound, NotPermitted, UsageError: it cannot be read, or is no file.
        MalformedBtf: it has none.
    """
    try:
        # Without O_NONBLOCK a pipe that nobody writes to would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except PermissionError as error:
        raise NotPermitted(f"{path} cannot be read by this user") from error
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"expected a vmlinux or a file of BTF, {path} is not a file")
        return types_in(partial(_read, descriptor), found.st_size)
    finally:
        os.close(descriptor)


def _read(descriptor: int, offset: int, length: int) -> bytes:
    parts = []
    while length > 0 and (part := os.pread(descriptor, length, offset)):  # sysfs gives a page
        parts.append(part)
        offset += len(part)
        length -= len(part)
    return b"".join(parts)


def _lines(heading: str, fits: Mapping[str, KernelFit], output: Output) -> Iterator[str]:
    yield output.style(heading, "bold")
    for title, fit in fits.items():
        if len(fits) > 1:
            yield f"  object {title}"
        for finding in fit.findings:
            yield from _finding_lines(finding, output)
    findings = [finding for fit in fits.values() for finding in fit.findings]
    answers = [fit.fits for fit in fits.values()]
    if False in answers:
        yield output.style("  does not fit", "red", "bold")
    elif "unknown" in answers:
        yield output.style("  cannot tell", "yellow", "bold")
    elif any(finding.level == "warning" for finding in findings):
        yield output.style("  fits, with warnings", "yellow", "bold")
    else:
        yield output.style("  fits, as far as can be told", "green", "bold")


def _finding_lines(finding: FitFinding, output: Output) -> Iterator[str]:
    level = output.style(f"{finding.level:<8}", _COLOURS[finding.level])
    program = f"{finding.program}: " if finding.program else ""
    first, *further = wrapped(f"{program}{finding.what}", output.width and output.width - 12)
    yield f"  {level} {first}"
    yield from (" " * 13 + line for line in further)
    if finding.file:
        source = f"{finding.file}:{finding.line}  {finding.text}"
        yield " " * 11 + output.style(source, "dim")
