"""A replica that has hardly any file descriptors left turns newcomers away instead of running out of them."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from genpaxos.errors import ConfigError
from genpaxos.runtime.descriptors import DescriptorWatch, check_limit, open_count, raise_limit
from genpaxos.runtime.listening import ListeningSocket
from genpaxos.runtime.local import FEW_DESCRIPTORS
from genpaxos.runtime.scaffold import scaffold

WAIT_S = 20.0


def until(holds: Callable[[], bool]) -> bool:
    end_s = time.monotonic() + WAIT_S
    while not holds():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.01)
    return True


def test_the_watch_speaks_up_before_the_limit_and_again_when_there_is_room() -> None:
    watch = DescriptorWatch(1_000)
    assert not watch.look(900)
    assert watch.look(970)
    assert watch.full
    assert "1000 file descriptors" in str(watch)
    assert not watch.look(960)  # a single one that is closed does not open the door again
    assert watch.look(900)
    assert not watch.full


def test_too_low_a_limit_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"only 20 file descriptors; a replica needs 64.*ulimit -n"):
        check_limit(20)
    check_limit(64)


def test_the_limit_is_at_least_what_it_was() -> None:
    before, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert raise_limit() >= min(before, 2**63)
    assert 3 <= open_count() < raise_limit()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it stays open")
@pytest.mark.parametrize("kind", ["tcp", "ipc"])
def test_a_closed_door_keeps_newcomers_out_and_leaves_the_others_alone(kind: str, tmp_path: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.setsockopt(zmq.LINGER, 0)
        if kind == "tcp":
            address = f"tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}"
        else:
            address = f"ipc://{tmp_path}/door"
            router.bind(address)
        listening = ListeningSocket(address)
        inside, outside = context.socket(zmq.DEALER), context.socket(zmq.DEALER)
        for one in (inside, outside):
            one.setsockopt(zmq.LINGER, 0)
            one.setsockopt(zmq.RECONNECT_IVL, 20)
            one.setsockopt(zmq.CONNECT_TIMEOUT, 200)
        inside.connect(address)
        inside.send(b"before")
        assert router.poll(WAIT_S * 1000)
        assert router.recv_multipart()[1] == b"before"

        listening.set_open(False)
        assert not connects(address)
        inside.send(b"still here")
        assert router.poll(WAIT_S * 1000)
        assert router.recv_multipart()[1] == b"still here"
        outside.connect(address)
        outside.send(b"hello")
        assert not router.poll(300)

        listening.set_open(True)
        assert router.poll(WAIT_S * 1000)
        assert router.recv_multipart()[1] == b"hello"
        listening.close()
        inside.close()
        outside.close()


def connects(address: str) -> bool:
    """Whether the kernel completes a connection there."""
    if address.startswith("ipc://"):
        with socket.socket(socket.AF_UNIX) as made:
            return made.connect_ex(address.removeprefix("ipc://")) == 0
    with socket.socket() as made:
        made.settimeout(0.3)
        return made.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) == 0


@pytest.mark.cluster
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it stays open")
def test_a_flood_of_connections_neither_keeps_a_replica_busy_nor_silences_it(tmp_path: Path) -> None:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port = made.getsockname()[1]
    scaffold(str(tmp_path / "shop"), 1, port)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)); "
    serve = f"{limit}from genpaxos.cli import main; raise SystemExit(main(['serve', 'cluster.toml', '0']))"
    log = tmp_path / "log"
    with log.open("wb") as out:
        replica = subprocess.Popen([sys.executable, "-c", serve], cwd=tmp_path / "shop", stdout=out, stderr=out)
    crowd: list[socket.socket] = []
    try:
        assert until(lambda: connects(f"tcp://127.0.0.1:{port}"))
        for _ in range(150):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            crowd.append(one)
        assert until(lambda: b"file descriptors" in log.read_bytes())
        began, began_s = cpu_s(replica.pid), time.monotonic()
        assert not until_over(began_s + 1.0, lambda: cpu_s(replica.pid) - began > 0.5), "it is busy doing nothing"
        for one in crowd:
            one.close()
        assert until(lambda: b"new connections are accepted" in log.read_bytes())
        assert until(lambda: connects(f"tcp://127.0.0.1:{port}"))
    finally:
        for one in crowd:
            one.close()
        replica.send_signal(signal.SIGTERM)
        assert replica.wait(WAIT_S) == 0, log.read_text()


def until_over(end_s: float, holds: Callable[[], bool]) -> bool:
    """Whether something comes to hold before a point in time."""
    while time.monotonic() < end_s:
        if holds():
            return True
        time.sleep(0.05)
    return False


def cpu_s(process: int) -> float:
    times = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


FEW = """
import os, resource
from pathlib import Path
from genpaxos import GenpaxosError
from genpaxos.runtime.local import local_addresses
from genpaxos.runtime.query import ask_each

print(*local_addresses(Path("/tmp/x"), 3))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
addresses = local_addresses(Path("/tmp/x"), 3)
assert len(set(addresses)) == 3
assert all(address.startswith("tcp://127.0.0.1:") for address in addresses), addresses
held = []
while True:
    try:
        held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        break
for left in range(10):
    os.close(held.pop())
    try:
        ask_each(addresses, "status", timeout_s=0.01)
    except GenpaxosError as error:
        assert "Raise the limit (`ulimit -n`), or close clients" in str(error), error
    else:
        raise SystemExit(f"{left} descriptors were thought to be enough")
"""


def test_a_process_with_few_descriptors_is_told_so_and_not_ended_by_zeromq() -> None:
    done = subprocess.run([sys.executable, "-c", FEW], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= FEW_DESCRIPTORS:
        assert done.stdout == "ipc:///tmp/x/0.sock ipc:///tmp/x/1.sock ipc:///tmp/x/2.sock\n"
