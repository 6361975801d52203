"""Network namespaces: named, by cookie, of processes, and coming back."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.builders.wires import inside

from skep.kernel import namespaces
from skep.kernel.errors import TargetMissing, TargetNotVisible
from skep.kernel.namespaces import (
    Namespace,
    current_namespace,
    entered,
    entered_by_cookie,
    namespace_cookie,
    visible,
)
from skep.kernel.network import create_namespace, remove_namespace

pytestmark = pytest.mark.kernel
_HERE = Path("/proc/thread-self/ns/net")


@pytest.fixture
def named() -> Iterator[str]:
    name = f"skep-test-{secrets.token_hex(3)}"
    create_namespace(name)
    try:
        yield name
    finally:
        remove_namespace(name)


@pytest.fixture
def nameless() -> Iterator[int]:
    """Process id of a child in a network namespace of its own."""
    code = "import sys; print('ready', flush=True); sys.stdin.read()"
    command = ["unshare", "--net", sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        yield child.pid
        child.communicate()


@pytest.fixture(autouse=True)
def comes_home() -> Iterator[None]:
    before = _HERE.stat().st_ino
    yield
    assert _HERE.stat().st_ino == before


def test_ours_is_the_hosts_here() -> None:
    assert current_namespace() == ""
    with entered("") as namespace:
        assert namespace == Namespace("", namespace_cookie())


def test_entering_a_named_one_and_coming_back(named: str) -> None:
    before = namespace_cookie()
    with entered(named) as namespace:
        assert namespace.called == named == current_namespace()
        assert namespace.cookie == namespace_cookie() != before
        assert [name for _, name in socket.if_nameindex()] == ["lo"]
    assert namespace_cookie() == before


def test_by_cookie_it_has_its_name(named: str) -> None:
    with entered(named) as there:
        pass
    for _ in range(2):
        with entered_by_cookie(there.cookie) as again:
            assert again == there
    with entered(f"netns:{there.cookie}") as again:
        assert again == there


def test_the_way_to_a_cookie_is_looked_for_again_if_it_leads_elsewhere(named: str) -> None:
    with entered(named) as there:
        pass
    namespaces._found_at[there.cookie] = Path("/proc/1/ns/net")
    with entered_by_cookie(there.cookie) as again:
        assert again == there


def test_one_without_a_name_is_found_by_its_process(nameless: int) -> None:
    cookie = _cookie_of(nameless)
    with entered_by_cookie(cookie) as there:
        assert there == Namespace(f"netns:{cookie}", cookie)
        assert current_namespace() == f"netns:{cookie}"
    assert f"netns:{cookie}" in list(visible())


def test_it_is_not_visible_once_its_process_has_ended(named: str) -> None:
    with entered(named) as there:
        pass
    remove_namespace(named)
    with (
        pytest.raises(TargetNotVisible, match="not visible from here"),
        entered(f"netns:{there.cookie}"),
    ):
        pass
    with pytest.raises(TargetMissing, match=named), entered(named):
        pass


def test_inside_another_the_host_can_be_entered(named: str) -> None:
    with entered(named), entered("") as host:
        assert host.called == ""
        assert current_namespace() == ""


def test_the_visible_ones_are_told_once_the_host_first(named: str) -> None:
    seen = list(visible())
    assert seen[0] == ""
    assert named in seen
    assert len(set(seen)) == len(seen)


def test_an_exception_inside_comes_out_at_home(named: str) -> None:
    before = namespace_cookie()
    with pytest.raises(KeyError), entered(named):
        raise KeyError
    assert namespace_cookie() == before


# In a process of its own, unmeasured: an interrupt while coverage is measured leaves a lock
# behind, on which everything would wait.
_INTERRUPTED = """
import signal, sys, warnings
from skep.kernel.namespaces import entered, namespace_cookie

warnings.simplefilter("ignore")  # a descriptor that an interrupt leaves behind is closed later

def interrupt(*_):
    raise KeyboardInterrupt

before = namespace_cookie()
signal.signal(signal.SIGALRM, interrupt)
interrupted = 0
for step in range(1, 300):
    try:
        signal.setitimer(signal.ITIMER_REAL, step * 2e-6)
        for _ in range(100):  # not for ever: one that comes during __del__ is lost
            with entered(sys.argv[1]):
                pass
    except KeyboardInterrupt:
        interrupted += 1
    assert namespace_cookie() == before
    assert signal.SIGALRM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
print(interrupted > 200)
"""


def test_interrupts_do_not_leave_the_thread_elsewhere(named: str) -> None:
    assert _run(_INTERRUPTED, named).stdout == "True\n"


def test_other_threads_stay_where_they_are(named: str) -> None:
    asked, answered = threading.Event(), threading.Event()
    seen: list[int] = []

    def other() -> None:
        asked.wait()
        seen.append(namespace_cookie())
        answered.set()

    before = namespace_cookie()
    thread = threading.Thread(target=other)
    thread.start()
    with entered(named):
        asked.set()
        answered.wait()
    thread.join()
    assert seen == [before]


def test_the_host_is_where_process_1_is(nameless: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = namespace_cookie()
    monkeypatch.setattr(namespaces, "_HOSTS", Path(f"/proc/{nameless}/ns/net"))
    assert current_namespace() == f"netns:{ours}"
    with entered("") as host:
        assert host == Namespace("", _cookie_of(nameless))
        with entered(f"netns:{ours}") as again:
            assert again == Namespace(f"netns:{ours}", ours)
    assert list(visible())[:2] == ["", f"netns:{ours}"]


@pytest.mark.parametrize("name", [".", "..", "../x", "a/b", "/proc/1/ns/net", "a\0b", "a" * 256])
def test_a_name_that_is_a_path_is_none(name: str) -> None:
    with pytest.raises(TargetMissing), entered(name):
        pass


@pytest.mark.parametrize("made", ["file", "other-namespace", "fifo"])
def test_a_file_that_is_no_network_namespace(made: str, named: str) -> None:
    place = Path("/run/netns") / f"skep-test-{secrets.token_hex(3)}"
    if made == "file":
        place.touch()
    elif made == "fifo":
        os.mkfifo(place)
    else:
        place.symlink_to("/proc/self/ns/uts")
    try:
        with pytest.raises((TargetMissing, TargetNotVisible)), entered(place.name):
            pass
        assert place.name not in list(visible())
    finally:
        place.unlink()


def test_a_symbolic_link_to_a_process_is_a_name(nameless: int) -> None:
    place = Path("/run/netns") / f"skep-test-{secrets.token_hex(3)}"
    place.symlink_to(f"/proc/{nameless}/ns/net")
    try:
        with entered(place.name) as there:
            assert there == Namespace(place.name, _cookie_of(nameless))
    finally:
        place.unlink()


_UNPRIVILEGED = """
import os, sys
from skep.kernel.errors import TargetNotVisible
from skep.kernel.namespaces import current_namespace, entered, namespace_cookie
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
print(current_namespace() == "")
with entered(""):
    print(namespace_cookie() > 0)
try:
    with entered(sys.argv[1]):
        print("entered")
except TargetNotVisible as error:
    print(error.message)
"""


def test_without_privilege_ours_is_the_hosts_and_others_are_not_visible(named: str) -> None:
    lines = _run(_UNPRIVILEGED, named).stdout.splitlines()
    assert lines[:2] == ["True", "True"]
    assert "cannot be" in lines[2]


_WITHOUT_PROC = """
import os, sys
from skep.kernel.namespaces import current_namespace, entered, namespace_cookie, visible
before = namespace_cookie()
print(repr(current_namespace()))
with entered(""):
    pass
with entered(sys.argv[1]) as there:
    print(there.cookie == namespace_cookie() != before)
print(namespace_cookie() == before)
print(sys.argv[1] in list(visible()))
"""


def test_without_proc(named: str) -> None:
    hidden = ["unshare", "--mount", "sh", "-c", 'umount -l /proc; exec "$0" "$@"']
    assert _run(_WITHOUT_PROC, named, hidden).stdout.splitlines() == ["''", "True", "True", "True"]


_NO_RETURN = """
import sys
from skep.kernel import namespaces
real = namespaces._libc
class Refusing:
    fstatfs, pthread_sigmask = real.fstatfs, real.pthread_sigmask
    calls = 0
    def setns(self, *arguments):
        self.calls += 1
        return real.setns(*arguments) if self.calls == 1 else -1
namespaces._libc = Refusing()
with namespaces.entered(sys.argv[1]):
    pass
print("went on")
"""


def test_a_process_that_cannot_come_back_ends(named: str) -> None:
    ended = _run(_NO_RETURN, named, check=False)
    assert ended.returncode == -signal.SIGABRT
    assert ended.stdout == ""
    assert f"cannot return from network namespace {named}" in ended.stderr


def _run(
    code: str, name: str, before: list[str] | None = None, *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [*(before or []), sys.executable, "-c", code, name],
        capture_output=True,
        text=True,
        check=check,
        cwd=root,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("COV")},
            "PYTHONPATH": f"{root / 'src'}:{root}",
        },
    )


def _cookie_of(process: int) -> int:
    code = "from skep.kernel.namespaces import namespace_cookie; print(namespace_cookie())"
    found = subprocess.run(
        ["nsenter", f"--net=/proc/{process}/ns/net", sys.executable, "-c", code],
        capture_output=True,
        check=True,
    )
    return int(found.stdout)


def test_a_process_begun_in_another_knows_whose_it_is(named: str) -> None:
    code = "from skep.kernel.namespaces import current_namespace; print(current_namespace())"
    script = f'{" ".join(inside(named))} "$0" "$@"; exit $?'  # the shell is process 1
    own_processes = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", script]
    assert _run(code, named, own_processes).stdout == f"{named}\n"


def test_without_cookies_the_number_of_the_file_stands_in(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "_SO_NETNS_COOKIE", 9999)  # before Linux 5.14
    monkeypatch.setattr(namespaces, "_found_at", {})
    assert namespace_cookie() == _HERE.stat().st_ino
    with entered(named) as there:
        assert there.cookie == _HERE.stat().st_ino
    with entered_by_cookie(there.cookie) as again:
        assert again == there


def test_threads_are_in_different_ones_at_the_same_time(named: str) -> None:
    both = threading.Barrier(4)

    def where(called: str) -> str:
        for _ in range(50):
            with entered(called):
                both.wait(timeout=60)
                found = current_namespace()
                assert found == called
        return current_namespace()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(where, ["", named, "", named])) == [""] * 4
