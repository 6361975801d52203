"""Packages in memory: opened and linked as told, refused as told."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from tests.builders.deployments import array_map, hash_map, returning, rodata
from tests.builders.published import make_package, toml

from skep.bytecode.analysis.growth import Granted
from skep.bytecode.linking.plan import ProgramPlan
from skep.chains.deployment import Deployment, TrustDecision
from skep.chains.fingerprints import map_pin_name
from skep.chains.planning import LinkedDeployment, MapSetting
from skep.digests import Digest
from skep.errors import UsageError
from skep.node.labels import ConsentLabel
from skep.node.packages import NoSuchVersion, VerifiedPackage
from skep.node.verified.trust_store import TrustStoreUnsafe
from skep.packages.content import PackageContent
from skep.packages.opening import open_package
from skep.packages.references import Reference
from skep.trust.errors import Unsigned
from skep.trust.verifying import SignatureEvidence

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
FINGERPRINT = "SHA256:" + "9f" * 32

DROPS = Granted("net.drop", "interface", "declared", "high")

SETTINGS = """
[settings.rate]
type = "u64"
map = "config"
default = "7"

[settings.ports]
type = "set[u32]"
map = "ports"

[settings.slot]
type = "u64"
map = "slots"

[settings.entry]
type = "u64"
map = "counts"
key = 4

[settings.constant]
type = "u32"
global = "constant"
default = "1"
"""

SETTING_NAMES = frozenset({"rate", "ports", "slot", "entry", "constant"})


@cache
def _built(name: str, version: str, hook: str) -> tuple[Digest, PackageContent]:
    built = make_package(toml(name, version, more=SETTINGS, hook=hook))
    return built.manifest.digest, open_package(built.manifest_data, built.blobs.__getitem__)


class FakePackages:
    """Every package has an array ``config``, a set ``ports``, a constant, and ``counts``.

    The settings ``slot`` and ``entry`` have no default: nothing is written unless they are set.

    Attributes:
        unsigned: packages nobody signed.
        refused: packages whose program the kernel refuses.
        gone: packages that are not on this node any more.
        unsafe: others could have put keys among the trusted ones.
        opened: what was opened and linked, in order.
        labels: what a package may do on this node, by package, or by package and its constant.
        hooks: what a package's program is for, by package; the first hook if not said.
        compiled: what a package may do as compiled, by package; as on this node if not said.
    """

    def __init__(self) -> None:
        self.unsigned: set[str] = set()
        self.refused: set[str] = set()
        self.gone: set[str] = set()
        self.unsafe = False
        self.opened: list[str] = []
        self.labels: dict[str | tuple[str, str], tuple[Granted, ...]] = {}
        self.compiled: dict[str, tuple[Granted, ...]] = {}
        self.hooks: dict[str, str] = {}

    def open(
        self,
        reference: Reference,
        digest: Digest | None,  # noqa: ARG002 - the port's
        policy: TrustDecision,
    ) -> VerifiedPackage:
        self._check(reference.package, policy)
        hook = self.hooks.get(reference.package, "xdp")
        version = str(reference.version or "1.0.0")
        manifest, content = _built(reference.package, version, hook)
        insecure = policy == "insecure-accept-all"
        evidence = SignatureEvidence(
            "insecure" if insecure else "key", "" if insecure else FINGERPRINT, (), NOW
        )
        return VerifiedPackage(reference, manifest, content, evidence)

    def linked(self, deployment: Deployment) -> LinkedDeployment:
        package = deployment.reference.partition(":")[0]
        self._check(package, deployment.policy)
        chosen = {"rate": "7", "ports": "", "constant": "1"} | dict(deployment.settings)
        for name, text in chosen.items():
            numbers = text.split(",") if text or name != "ports" else []
            if name not in SETTING_NAMES or not all(map(str.isdigit, numbers)):
                raise UsageError(f"setting {name}: got {text!r}")
        constant = int(chosen["constant"]).to_bytes(4, "little")
        kept = (array_map("config"), hash_map("ports"), hash_map("counts"), array_map("slots"))
        maps = (*kept, rodata(constant))
        ports = [int(port).to_bytes(4, "little") for port in chosen["ports"].split(",") if port]
        optional = tuple(
            MapSetting(pin, ((key.to_bytes(4, "little"), int(chosen[name]).to_bytes(8, "little")),))
            for name, pin, key in (("slot", "slots", 0), ("entry", "counts", 4))
            if name in chosen
        )
        return LinkedDeployment(
            replace(deployment, maps=tuple(map_pin_name(one) for one in maps)),
            self._program(package),
            maps,
            (
                MapSetting("config", ((bytes(4), int(chosen["rate"]).to_bytes(8, "little")),)),
                MapSetting(
                    "ports", tuple(sorted((p, b"\x01" + bytes(7)) for p in ports)), whole=True
                ),
                *optional,
            ),
        )

    def label(self, deployment: Deployment) -> ConsentLabel:
        package = deployment.reference.partition(":")[0]
        self._check(package, deployment.policy)
        constant = dict(deployment.settings).get("constant", "1")
        shown = self.labels.get((package, constant), self.labels.get(package, (DROPS,)))
        return ConsentLabel(1, shown, self.compiled.get(package, shown))

    def check_trust(self) -> None:
        if self.unsafe:
            raise TrustStoreUnsafe("others may write there", hint="look at the keys")

    def _program(self, package: str) -> ProgramPlan:
        good = returning(2, "prog")
        return (
            replace(good, instructions=good.instructions[:1]) if package in self.refused else good
        )

    def _check(self, package: str, policy: TrustDecision) -> None:
        self.opened.append(package)
        if package in self.gone:
            raise NoSuchVersion(f"no {package}")
        if package in self.unsigned and policy == "require-key":
            raise Unsigned(f"expected {package} to be signed, and there is no signature")
