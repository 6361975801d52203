"""Trust policies as one value with named cases; no default accepts anything."""

from dataclasses import dataclass

from skep.trust.keys import PublicKey


@dataclass(frozen=True, slots=True)
class RequireKey:
    """Accept what one of these keys has signed. No keys means nothing is accepted."""

    keys: tuple[PublicKey, ...]


@dataclass(frozen=True, slots=True)
class InsecureAcceptAll:
    """Accept everything, signed or not, and look at no signature.

    For a node whose owner said so; what runs under it is flagged wherever it is shown.
    """


TrustPolicy = RequireKey | InsecureAcceptAll
