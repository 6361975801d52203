"""Where a command finds its things: the environment and the user, read once.

Everything Skep keeps is under one root directory: ``/var/lib/skep`` for root, otherwise
``$XDG_DATA_HOME/skep``; ``SKEP_ROOT`` says otherwise. Pinned objects live in a BPF file system of
our own, ``/run/skep/bpf`` for the default root and ``<root>/bpf`` for any other. What a user
prefers is in ``$XDG_CONFIG_HOME/skep``, else ``~/.config/skep``.
"""

import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_MARKETPLACES = "marketplaces.toml"


@dataclass(frozen=True, slots=True)
class Environment:
    """Paths and defaults of one invocation.

    Attributes:
        root: everything on disk that is Skep's.
        bpffs: where pinned objects are.
        configuration: the user's files that say what they prefer.
        marketplace: ``SKEP_MARKETPLACE``: URL, name or host; empty if it is not set.
        user: effective user id.
        variables: the environment, for child processes.
    """

    root: Path
    bpffs: Path
    configuration: Path
    marketplace: str
    user: int
    variables: Mapping[str, str]

    @property
    def is_root(self) -> bool:
        """The effective user is root."""
        return self.user == 0

    @property
    def keys(self) -> Path:
        """Private keys of this user and their public halves."""
        return self.root / "keys"

    @property
    def content(self) -> Path:
        """The content store: an OCI image layout."""
        return self.root / "content"

    @property
    def trust(self) -> Path:
        """Public keys this node trusts: ``<publisher>/<fingerprint>.pem``."""
        return self.root / "trust"

    @property
    def user_marketplaces(self) -> Path:
        """Marketplaces of this user."""
        return self.configuration / _MARKETPLACES

    @property
    def node_marketplaces(self) -> Path:
        """Marketplaces of everybody on this node."""
        return self.root / _MARKETPLACES

    @property
    def heard(self) -> Path:
        """What marketplaces said about newest versions."""
        return self.cache / "heard.json"

    @property
    def marketplace_data(self) -> Path:
        """Data of a marketplace served from here."""
        return self.root / "marketplace"

    @property
    def cache(self) -> Path:
        """What can be deleted at any time."""
        return self.root / "cache"


def read_environment(variables: Mapping[str, str], effective_user: int) -> Environment:
    """Decide paths from environment variables.

    Args:
        variables: ``os.environ`` or a stand-in; ``SKEP_ROOT``, ``SKEP_MARKETPLACE``,
            ``XDG_DATA_HOME``, ``XDG_CONFIG_HOME`` and ``HOME`` are looked at; without the last, the
            list of users.
        effective_user: user id; 0 is root.
    """
    system_root = Path("/var/lib/skep")
    home = Path(variables.get("HOME") or _home_of(effective_user))
    if chosen := variables.get("SKEP_ROOT"):
        root = Path(chosen).absolute()
    elif effective_user == 0:
        root = system_root
    else:
        data_home = Path(variables.get("XDG_DATA_HOME") or home / ".local" / "share")
        root = data_home.absolute() / "skep"
    config_home = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    return Environment(
        root=root,
        bpffs=Path("/run/skep/bpf") if root == system_root else root / "bpf",
        configuration=config_home.absolute() / "skep",
        marketplace=variables.get("SKEP_MARKETPLACE", ""),
        user=effective_user,
        variables=variables,
    )


def _home_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_dir
    except KeyError:
        return "/"
