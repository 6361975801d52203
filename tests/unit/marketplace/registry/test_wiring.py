"""The server as a process: it starts, says where it is, and leaves nothing behind."""

import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from tests.builders.published import NAME, make_package
from tests.builders.pushing import RawClient

from skep.errors import Malformed
from skep.marketplace.registry.errors import DirectoryInUse, NameInvalid
from skep.marketplace.registry.settings import ServeSettings
from skep.marketplace.registry.wiring import CannotServe, build_application, running_server

SCRIPT = """
import os, sys
from pathlib import Path
from skep.clock import system_clock
from skep.marketplace.registry.settings import ServeSettings
from skep.marketplace.registry.wiring import serve

lifeline = 0 if sys.argv[2] == "lifeline" else None
settings = ServeSettings(Path(sys.argv[1]), port=0)
serve(settings, system_clock, lambda url: print(url, flush=True), lifeline=lifeline)
"""


def start(directory: Path, mode: str = "") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(directory), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def url_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(tmp_path: Path, number: int) -> None:
    with start(tmp_path / "m") as process:
        client = RawClient(url_of(process))
        assert client("GET", "/healthz").status == 200
        client.close()
        process.send_signal(number)
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_it_is_one_process(tmp_path: Path) -> None:
    with start(tmp_path / "m") as process:
        url_of(process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        process.terminate()
        process.wait(60)
    assert children == ""


def test_it_ends_with_whoever_holds_its_lifeline(tmp_path: Path) -> None:
    with start(tmp_path / "m", "lifeline") as process:
        assert url_of(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0


def test_killed_and_started_again_it_has_everything_published(
    settings: ServeSettings, clock: Any
) -> None:
    package = make_package()
    with running_server(settings, clock) as url:
        client = RawClient(url)
        client.push_all(package)
        client("POST", f"/v2/{NAME}/blobs/uploads/")
        client.close()
    (settings.directory / "uploads" / "left-behind-by-a-crash").touch()
    with running_server(settings, clock) as url:
        client = RawClient(url)
        assert client("GET", f"/v2/{NAME}/manifests/1.0.0").data == package.manifest_data
        client.close()
    names = [path.name for path in (settings.directory / "uploads").iterdir()]
    assert "left-behind-by-a-crash" not in names
    assert len(names) == 1  # an upload that may still go on


def test_no_thread_is_left_behind(settings: ServeSettings, clock: Any) -> None:
    with running_server(settings, clock) as url:
        client = RawClient(url)
        client.push_all(make_package())
        client.close()
    assert not [one for one in threading.enumerate() if one.name == "marketplace"]


def test_two_servers_do_not_share_a_directory(settings: ServeSettings, clock: Any) -> None:
    with (
        running_server(settings, clock),
        pytest.raises(DirectoryInUse),
        running_server(settings, clock),
    ):
        pass


def test_the_directory_is_free_afterwards(settings: ServeSettings, clock: Any) -> None:
    for _ in range(2):
        with running_server(settings, clock):
            pass


def test_a_port_that_is_taken_is_told(settings: ServeSettings, clock: Any, tmp_path: Path) -> None:
    with running_server(settings, clock) as url:
        taken = int(url.rpartition(":")[2])
        other = replace(settings, directory=tmp_path / "other", port=taken)
        with pytest.raises(CannotServe, match=str(taken)), running_server(other, clock):
            pass


@pytest.mark.parametrize(
    ("host", "port"),
    [
        pytest.param("192.0.2.1", 0, id="another-machines"),
        pytest.param("999.1.1.1", 0, id="no-address"),
        pytest.param("a" * 70, 0, id="no-name"),
        pytest.param("127.0.0.1", 70_000, id="no-port"),
    ],
)
def test_where_it_cannot_listen_is_told(
    settings: ServeSettings, clock: Any, host: str, port: int
) -> None:
    elsewhere = replace(settings, host=host, port=port)
    with pytest.raises(CannotServe), running_server(elsewhere, clock):
        pass


def test_a_name_becomes_an_address(settings: ServeSettings, clock: Any) -> None:
    with running_server(replace(settings, host="localhost"), clock) as url:
        client = RawClient(url)
        assert client("GET", "/healthz").status == 200
        client.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_it_listens_on_ipv6(settings: ServeSettings, clock: Any) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
    with running_server(replace(settings, host="::1"), clock) as url:
        client = RawClient(url)
        assert client("GET", "/healthz").status == 200
        client.close()


def test_a_publisher_that_cannot_be_one_is_refused(settings: ServeSettings, clock: Any) -> None:
    for name in ("../x", "", "A"):
        with pytest.raises(NameInvalid):
            build_application(replace(settings, publishers={name: ()}), clock)
    with pytest.raises(Malformed):
        build_application(replace(settings, publishers={"acme": (b"no key",)}), clock)
    # Nothing was locked or opened by these.
    with running_server(replace(settings, publishers={}), clock):
        pass


def test_uvicorn_serves_it_too(settings: ServeSettings, clock: Any) -> None:
    config = uvicorn.Config(
        build_application(settings, clock), port=0, log_level="critical", lifespan="on"
    )
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        listener.listen()
        client = RawClient(f"http://127.0.0.1:{listener.getsockname()[1]}")
        try:
            package = make_package()
            assert client.push_all(package).status == 201
            for digest, data in package.blobs.items():
                if digest != package.manifest.digest:
                    assert client("GET", f"/v2/{NAME}/blobs/{digest}").data == data
        finally:
            client.close()
            server.should_exit = True
            thread.join(10)
    assert not thread.is_alive()


def test_what_it_stores_is_for_its_owner_only(settings: ServeSettings, clock: Any) -> None:
    with running_server(settings, clock):
        assert settings.directory.stat().st_mode & 0o077 == 0


def test_concurrent_publications_of_one_version_leave_one(
    client: RawClient, settings: ServeSettings
) -> None:
    packages = [make_package(readme=b"# %d\n" % number) for number in range(4)]
    for package in packages:
        client.push(package)
        client.push_signature(package)
    statuses: list[int] = []

    def publish(one: Any) -> None:
        own = RawClient(client._url)
        statuses.append(own.publish(one).status)
        own.close()

    threads = [threading.Thread(target=publish, args=(package,)) for package in packages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 409, 409, 409]
    assert len(client("GET", f"/api/v1/packages/{NAME}").json()["versions"]) == 1
