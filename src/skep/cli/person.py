"""Who gave a command, for records: the person who logged in, and the user they became.

The login user is what the kernel's audit subsystem keeps across ``sudo`` and ``su``
(``/proc/self/loginuid``); without one, what ``sudo`` says counts. Root can change either, so this
is a record, not proof.
Source: https://man7.org/linux/man-pages/man5/proc_pid_loginuid.5.html
"""

import pwd
from collections.abc import Mapping
from pathlib import Path

LOGIN_UID = Path("/proc/self/loginuid")
_UNSET = 0xFFFFFFFF  # services and containers: nobody logged in


def person(variables: Mapping[str, str], user: int, login_uid: Path = LOGIN_UID) -> str:
    """The name of the person, for example ``root`` or ``alice (as root)``.

    Args:
        variables: ``os.environ`` or a stand-in.
        user: effective user id.
        login_uid: where the kernel says who logged in.
    """
    effective = _name(user)
    login = _login(login_uid) or variables.get("SUDO_USER", "")
    return f"{login} (as {effective})" if login and login != effective else effective


def _login(path: Path) -> str:
    try:
        user = int(path.read_text("ascii"))
    except (OSError, ValueError):
        return ""
    return "" if user == _UNSET else _name(user)


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
