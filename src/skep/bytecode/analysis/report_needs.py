"""The part of a report that says what a kernel must have; see :mod:`.report`."""

from dataclasses import dataclass

from skep.bytecode.analysis.document import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason(Part):
    """Why a kernel must be at least this new.

    Attributes:
        kernel: ``major.minor``.
        what: what needs it.
        program: a program that has it; empty if it is about the object as a whole.
        function: function of the first place.
        slot: slot of the first place.
        optional: why it does not count: ``tested`` (the object asks for it first), ``weak`` (a
            weak extern), ``not default`` (only in programs that are not loaded by default),
            ``allowed`` (older kernels load the program without it).
    """

    kernel: str
    what: str
    program: str = ""
    function: str = ""
    slot: int | None = None
    optional: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Part):
    """Why a kernel must not be newer.

    Attributes:
        kernel: the newest that still has it, ``major.minor``.
        what: what later ones no longer have.
        program: a program that has it; empty if it is about the object as a whole.
        function: function of the first place.
        slot: slot of the first place.
    """

    kernel: str
    what: str
    program: str = ""
    function: str = ""
    slot: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Part):
    """Why no kernel loads it.

    Attributes:
        what: what is wrong.
        hint: what to do about it; empty if there is nothing to say.
        program: a program that has it; empty if it is about the object as a whole.
        function: function of the first place.
        slot: slot of the first place.
    """

    what: str
    hint: str = ""
    program: str = ""
    function: str = ""
    slot: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Part):
    """Something of the kernel or of another program that a program attaches to by BTF.

    Attributes:
        program: its name.
        place: ``kernel``, or ``program`` for a function of another one.
        kind: BTF kind of the target, ``FUNC`` or ``TYPEDEF``.
        name: as in BTF, with its prefix.
    """

    program: str
    place: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreNeed(Part):
    """A question to the kernel's types (CO-RE), with the first place that asks it.

    Attributes:
        type: root type, without flavour.
        path: field or enumerator, ``cred->uid`` written ``cred.uid``; empty for questions about
            the type, and where the object's own types do not fit the record.
        kind: what is asked for, in words.
        number: of the kind, 0 to 12.
        count: how many records ask it.
        function: function of the first one.
        slot: instruction slot in that function.
        file: source file, empty without line information.
        line: source line, 1-based.
        text: the source line itself.
    """

    type: str
    path: str
    kind: str
    number: int
    count: int = 1
    function: str = ""
    slot: int | None = None
    file: str = ""
    line: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachTarget(Part):
    """Where a program attaches.

    Attributes:
        program: its name.
        kind: ``kernel function``, ``user function``, ``tracepoint``, ``interface``, ...
        name: the function, tracepoint or path; empty if it is chosen when it is attached.
        chosen: ``by the object`` or ``when attached``.
    """

    program: str
    kind: str
    name: str = ""
    chosen: str = "when attached"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationNeed(Part):
    """An option the kernel must be built with.

    Attributes:
        option: ``CONFIG_...``.
        because: what needs it.
    """

    option: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToSet(Part):
    """Something the object leaves open.

    Attributes:
        kind: ``size`` of a map, ``inner map`` of a map of maps, ``type`` of a program, ``target``
            of a program, ``licence`` of the object.
        name: of the map or program; empty for the object.
        what: what must be chosen.
    """

    kind: str
    name: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements(Part):
    """What a kernel must have. The statement is "not below", never "works on".

    Attributes:
        oldest_kernel: ``major.minor``.
        reasons: newest kernel first.
        optional: what would raise it, but may be missing.
        unknown_first_kernels: what it uses that is in no table.
        needs_btf: ``yes``, ``formally`` (only for structures that never change) or ``no``.
        types_read: CO-RE roots, by name.
        kernel_configuration: kconfig externs.
        kernel_symbols: kernel variables.
        targets: attach targets that must be in BTF.
        sizes_to_set: maps whose size user space must set.
        missing: names that code calls and nothing can provide; such an object loads nowhere.
        core: CO-RE records of code that is reached, one for each question.
        attach: where each program attaches, as far as its section says.
        configuration: kernel options that must be set, as far as is known.
        to_set: what must be chosen before it can be loaded or attached.
        newest_kernel: ``major.minor`` of the newest that still has everything; ``None`` if nothing
            it needs was removed later.
        newest_reasons: oldest kernel first.
        refused: why no kernel loads it, as far as that is certain.
    """

    oldest_kernel: str
    reasons: tuple[Reason, ...] = ()
    optional: tuple[Reason, ...] = ()
    unknown_first_kernels: tuple[str, ...] = ()
    needs_btf: str = "no"
    types_read: tuple[str, ...] = ()
    kernel_configuration: tuple[str, ...] = ()
    kernel_symbols: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    sizes_to_set: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    core: tuple[CoreNeed, ...] = ()
    attach: tuple[AttachTarget, ...] = ()
    configuration: tuple[ConfigurationNeed, ...] = ()
    to_set: tuple[ToSet, ...] = ()
    newest_kernel: str | None = None
    newest_reasons: tuple[Limit, ...] = ()
    refused: tuple[Refusal, ...] = ()
