"""What the next start or change would fail at, while everything runs on.

What runs needs no package, no key and no database. The next boot, or the next change of a chain,
does.
"""

from collections.abc import Sequence

from skep.bytecode.analysis.growth import Growth, growth
from skep.digests import Digest
from skep.errors import SkepError
from skep.node.converging.consenting import need_of
from skep.node.converging.findings import Finding, Kind, Remedy
from skep.node.converging.services import Services
from skep.system_errors import explain


def lock_findings(services: Services) -> list[Finding]:
    """A lock that no command can hold."""
    if services.doubt is None:
        return []
    text = f"{services.doubt.message}, so no change can be made; {services.doubt.hint}"
    return [Finding("lock unusable", "lock", text)]


def database_findings(services: Services) -> list[Finding]:
    """Pages of the database that were overwritten."""
    problem = services.state.problem()
    if not problem:
        return []
    text = (
        f"{problem}; restore the database from a backup, or move it away and install again. "
        "Programs that run keep running, and skep remove --on HOOK removes them"
    )
    return [Finding("database damaged", "database", text)]


def trust_findings(services: Services) -> list[Finding]:
    """Trusted keys that others can change, or that cannot be read."""
    try:
        services.packages.check_trust()
    except SkepError as error:
        return [Finding("trust unsafe", "trust", f"{error.message}; {error.hint}")]
    return []


def package_findings(services: Services) -> list[Finding]:
    """What every start needs: the packages, their signatures, and consent."""
    found = []
    for one in services.state.installed():
        name = one.deployment.name
        try:
            label = services.packages.label(one.deployment)
        except (SkepError, OSError) as error:
            told = error if isinstance(error, SkepError) else explain(error)
            found.append(_unusable(name, told))
            continue
        need = need_of(one.deployment, label, one)
        if need is not None:
            kind: Kind = "consent not stored" if need.kind == "unknown" else "consent exceeded"
            found.append(Finding(kind, name, f"{need.text}; the next change of its chain asks"))
        elif one.consent is not None:
            found += _changed(name, growth(one.consent.shown, label.shown))
    return found


def _unusable(name: str, error: SkepError) -> Finding:
    text = f"{name} cannot be started again, for example after a reboot: {error.message}"
    return Finding("package unusable", name, f"{text}; {error.hint}" if error.hint else text)


def copy_findings(services: Services) -> list[Finding]:
    """What taking another member away needs."""
    found = []
    for one in services.state.installed():
        if not one.kept:  # an older version of Skep kept none
            continue
        name = one.deployment.name
        try:
            services.kept.kept(Digest.parse(one.kept))
        except SkepError as error:
            text = f"the kept copy of {name} cannot be used: {error.message}"
            found.append(
                Finding("copy lost", name, text, Remedy("make a new one from its package"))
            )
    return found


def _changed(name: str, grown: Sequence[Growth]) -> list[Finding]:
    """What another kernel brought, within what the package was agreed to: nobody is asked."""
    if not grown:
        return []
    what = ", ".join(dict.fromkeys(each.permission.id for each in grown))
    text = f"on this kernel {name} may do more than it could when installed: {what}"
    return [Finding("label changed", name, f"{text}; its package showed that")]
