"""Packages on this node: hashed, verified and linked at every use.

Nothing is believed because it was believed before. Whenever a program is about to be loaded, its
package goes through these steps again (product promises 1 and 2):

1. the manifest is read from the content store and hashed; its digest is the one that was wanted;
2. a signature over that digest is demanded of a key that is trusted *for the publisher in the
   reference that was asked for*; only the owner's explicit choice waives this;
3. every blob the manifest names is read and hashed, size and digest;
4. the metadata's name and version are the reference's, so nobody's signature over one package
   makes another one run;
5. the instructions that will be loaded, linked for this kernel with these settings, do nothing
   that the label of the package does not show.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.maps import leaves_size_open, sizable_maps
from skep.bytecode.linking.needs import needs_kernel_types, used_externs
from skep.bytecode.linking.plan import LoadPlan, MapPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.model import MapSpec, ObjectFile
from skep.bytecode.objectfile.reading import read_object
from skep.chains.deployment import Deployment, TrustDecision
from skep.chains.fingerprints import map_pin_name
from skep.chains.planning import LinkedDeployment, MapSetting
from skep.clock import Clock
from skep.digests import Digest
from skep.errors import Unsupported, UsageError
from skep.hooks.table import find_hook
from skep.node.labels import (
    ConsentLabel,
    consent_label,
    node_label,
    package_label,
    package_labels,
)
from skep.node.link_target import LinkTarget
from skep.node.packages import NoSuchVersion, VerifiedPackage
from skep.node.verified.trust_store import TrustStore
from skep.packages.content import PackageContent
from skep.packages.errors import UnknownProgram, UnusableSetting
from skep.packages.identity import check_identity
from skep.packages.local.bundles import stored_bundles
from skep.packages.local.content_store import ContentStore, reading_package
from skep.packages.map_sizes import chosen_sizes
from skep.packages.opening import open_package
from skep.packages.references import Reference, parse_reference
from skep.packages.settings import SettingValue, map_entries, parse_setting, variable_bytes
from skep.packages.tags import find_tag
from skep.trust.bundles import Subject
from skep.trust.policies import InsecureAcceptAll, TrustPolicy
from skep.trust.verifying import verify_calling


class WrongHook(UsageError):
    """The program is made for another hook."""


class UnsupportedMap(Unsupported):
    """The program has a map that this node cannot make by itself."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Implements the ``Packages`` port.

    Attributes:
        content: packages and their signatures.
        trust: whose signatures count.
        clock: for evidence.
        target: the kernel that programs are linked for.
        called: what people call a marketplace, by its host.
    """

    content: ContentStore
    trust: TrustStore
    clock: Clock
    target: LinkTarget | None = None
    called: Callable[[str], str] = str

    def resolve(self, reference: Reference) -> Digest:
        """The manifest a reference means here: its digest, its version, or the newest there is.

        Which tag that is, :func:`skep.packages.tags.find_tag` decides. The node has no default
        marketplace: a command that has one asks with the digest.

        Raises:
            NoSuchVersion: it was not pulled.
            AmbiguousReference: several marketplaces gave different content for it.
        """
        if reference.digest is not None:
            return reference.digest
        found = find_tag(self.content.tags(), reference)
        if found is None:
            raise NoSuchVersion(
                f"{reference} is not on this node",
                hint=f"skep pull {reference}",
            )
        return found.digest

    def open(
        self, reference: Reference, digest: Digest | None, policy: TrustDecision
    ) -> VerifiedPackage:
        """Open a package and verify it; see the module for the steps.

        Args:
            reference: what was asked for.
            digest: what it was found to be before; ``None`` to look it up.
            policy: the owner's choice.

        Raises:
            NoSuchContent, NoSuchVersion, AmbiguousReference: it is not on this node, or not one.
            DigestMismatch, WrongContent, Unsigned, UnknownKey, SignatureInvalid: not shown to be
                genuine.
            MalformedPackage, MalformedMetadata, UnsupportedPackage: no valid package.
        """
        wanted = digest or self.resolve(reference)
        # (1) The content store hashes what it reads; the digest is the caller's, not a tag's.
        with reading_package(reference):
            manifest = self.content.blob(wanted)
            bundles = stored_bundles(self.content, wanted)
        # (2) Before a byte of the package is parsed.
        evidence = verify_calling(
            self.called,
            Subject(reference.package, wanted, reference.host or ""),
            bundles,
            self._policy(reference, policy),
            self.clock(),
        )
        # (3)
        with reading_package(reference):
            content = open_package(manifest, self.content.blob)
        # (4)
        check_identity(content.metadata, reference)
        return VerifiedPackage(reference, wanted, content, evidence)

    def linked(self, deployment: Deployment) -> LinkedDeployment:
        """Open a deployment's package again and link its program with its settings.

        Raises:
            SkepError: as :meth:`open`; also for settings and objects that do not fit.
        """
        return link_deployment(self._content(deployment), deployment, self.target)

    def label(self, deployment: Deployment) -> ConsentLabel:
        """Open a deployment's package again and derive what it may do.

        Raises:
            SkepError: as :meth:`open`; also for objects that cannot be read.
        """
        loaded = self.linked(deployment).label
        return consent_label(package_labels(self._content(deployment)), loaded)

    def check_trust(self) -> None:
        """Read all trusted keys.

        Raises:
            MalformedKey, TrustStoreUnsafe: see :class:`TrustStore`.
        """
        self.trust.publishers()

    def _content(self, deployment: Deployment) -> PackageContent:
        return self.open(
            parse_reference(deployment.reference),
            Digest.parse(deployment.digest),
            deployment.policy,
        ).content

    def _policy(self, reference: Reference, decision: TrustDecision) -> TrustPolicy:
        match decision:
            case "insecure-accept-all":
                return InsecureAcceptAll()
            case "require-key":
                return self.trust.policy_for(reference.publisher)


def link_deployment(
    content: PackageContent, deployment: Deployment, target: LinkTarget | None = None
) -> LinkedDeployment:
    """Link a deployment's program with its settings.

    Args:
        target: the kernel to link for, asked only if the program needs it; without one, a program
            that does is refused.

    Raises:
        UnknownProgram, UnknownSetting, WrongSetting, WrongHook: the deployment asks for what the
            package has not.
        SizeOpen, UnfitSetting: a map needs a size, or another one.
        UnusableSetting, MalformedObject, CannotLink: the package is wrong, or needs what is not
            there.
        UnsupportedMap: a map begins with other maps or programs.
        OutsideLabel: linked, the program may do more than its package's label shows.
    """
    metadata = content.metadata
    program = metadata.program(deployment.program)
    if program.hook != deployment.on.hook:
        raise WrongHook(
            f"{metadata.name} is for {program.hook}, not for {deployment.on.hook}",
            hint=f"install it on {program.hook}:{deployment.on.target}",
        )
    data, object_file = _object_with(content, deployment.program)
    values = setting_values(content, deployment)
    sizable = sizable_maps(object_file.maps)
    sizes = chosen_sizes(metadata.maps, values, sizable)
    _check_sizes(content, sizable.values(), sizes)
    hook = find_hook(program.hook)
    settings = LinkSettings(
        max_entries=sizes,
        program_types={deployment.program: hook.program_type},
        attach_types={deployment.program: hook.attach_type},
        programs=frozenset({deployment.program}),
        variables=_variables(object_file, values),
    )
    types: KernelTypes | None = None
    if target is not None and needs_kernel_types(object_file, deployment.program):
        types = target.types()
        settings = _asking(settings, object_file, deployment.program, target)
    plan = link(object_file, types, settings)
    _check_maps(content, plan.maps)
    # (5)
    label = node_label(plan, data, types, package_label(data, metadata.program_types))
    linked_program = plan.program(deployment.program)
    pins = tuple(map_pin_name(map_plan) for map_plan in plan.maps)
    return LinkedDeployment(
        deployment=replace(deployment, maps=pins),
        program=linked_program,
        maps=plan.maps,
        settings=_map_settings(content, plan, values),
        types=plan.btf,
        label=label,
    )


def _asking(
    settings: LinkSettings, object_file: ObjectFile, program: str, target: LinkTarget
) -> LinkSettings:
    """``settings`` with what the program asks of the kernel besides its types."""
    externs = used_externs(object_file, program)
    kinds = {each.kind for each in externs}
    if "kconfig" in kinds:
        settings = replace(
            settings, kernel_config=target.configuration(), kernel_version=target.version_code()
        )
    if "kernel_variable" in kinds:
        names = [each.name for each in externs if each.kind == "kernel_variable"]
        settings = replace(settings, kernel_symbols=target.symbols(names))
    return settings


def _check_maps(content: PackageContent, maps: Iterable[MapPlan]) -> None:
    # The node makes and pins maps one by one: one that begins with others would need all of them
    # at once.
    for each in maps:
        if each.inner is not None or each.map_entries or each.program_entries:
            raise UnsupportedMap(
                f"{content.metadata.name}: map {each.name} begins with other maps or programs, "
                "which a node cannot make yet",
                hint="wait for a version of Skep that can",
            )


class SizeOpen(UsageError):
    """Nothing says how many entries a map has."""


def _check_sizes(
    content: PackageContent, maps: Iterable[MapSpec], sizes: Mapping[str, int]
) -> None:
    metadata = content.metadata
    for spec in maps:
        if leaves_size_open(spec) and spec.name not in sizes:
            setting = next(
                (each.name for each in metadata.settings if each.max_entries_of == spec.name), None
            )
            raise SizeOpen(
                f"{metadata.name}: nothing says how many entries map {spec.name} has",
                hint=f"for example --set {setting}=4096"
                if setting is not None
                else f"its publisher can: [maps.{spec.name}] max_entries = 4096 in skep.toml",
            )


def setting_values(content: PackageContent, deployment: Deployment) -> tuple[SettingValue, ...]:
    """What the deployment's settings are, those left at the package's default included.

    Raises:
        UnknownSetting: the package has no setting of that name.
        WrongSetting: a text is no value of its setting's type.
    """
    chosen = dict(deployment.settings)
    for name in chosen:
        content.metadata.setting(name)
    values = []
    for spec in content.metadata.settings:
        text = chosen.get(spec.name, spec.default_text)
        if text is not None:
            values.append(parse_setting(spec, text))
    return tuple(values)


def _object_with(content: PackageContent, program: str) -> tuple[bytes, ObjectFile]:
    for _, data in sorted(content.objects.items()):
        object_file = read_object(data)
        if any(spec.name == program for spec in object_file.programs):
            return data, object_file
    raise UnknownProgram(
        f"{content.metadata.name} declares the program {program!r}, no object of it has it",
        hint="tell its publisher; the package cannot be used",
    )


def _variables(object_file: ObjectFile, values: tuple[SettingValue, ...]) -> dict[str, bytes]:
    sizes = {variable.name: variable.size for variable in object_file.variables}
    return {
        value.spec.variable: variable_bytes(value, sizes[value.spec.variable])
        for value in values
        # A variable of another object of the package is nothing to this program.
        if value.spec.variable is not None and value.spec.variable in sizes
    }


def _map_settings(
    content: PackageContent, plan: LoadPlan, values: tuple[SettingValue, ...]
) -> tuple[MapSetting, ...]:
    maps = {map_plan.name: map_plan for map_plan in plan.maps}
    entries: dict[str, dict[bytes, bytes]] = {}
    whole: set[str] = set()
    for value in values:
        name = value.spec.map
        if name is None or (name not in maps and len(content.objects) > 1):
            continue
        if name not in maps:
            raise UnusableSetting(
                f"{content.metadata.name}: setting {value.spec.name} is for a map {name!r} "
                "that is not there",
                hint="tell its publisher; the package cannot be used",
            )
        if value.spec.is_set:
            whole.add(name)
        written = entries.setdefault(name, {})
        new = map_entries(value, maps[name])
        if written.keys() & new.keys():
            raise UnusableSetting(
                f"{content.metadata.name}: setting {value.spec.name} and another one are for the "
                f"same entry of map {name}",
                hint="tell its publisher; the package cannot be used",
            )
        written |= new
    return tuple(
        MapSetting(map_pin_name(maps[name]), tuple(sorted(found.items())), name in whole)
        for name, found in sorted(entries.items())
    )
