"""kfx opens no connection to the outside: the pipeline runs under a guard on every socket.

Two guards: one inside Python, which names who tried; and on Linux a network namespace without any
way out, where the kernel counts the attempts of compiled libraries too.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Python runs sitecustomize in each process it starts, so children are guarded like their parent.
# A connection is refused and written down: a library may swallow the refusal, the record stays.
_GUARD = """
import os, sys

RECORD = os.environ["KFX_GUARD_RECORD"]
LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")
AF_UNIX = 1


def note(event, target):
    with open(RECORD, "a", encoding="utf-8") as record:
        record.write(f"{event} {target!r} {sys.argv[:3]}\\n")


def guard(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        target = arguments[1]
        if target is None or isinstance(target, (str, bytes)):
            return  # a socket of this machine: AF_UNIX, or one connected before
        target = target[0] if isinstance(target, tuple) and target else target
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        target = arguments[0]
        if target is None:
            return
    else:
        return
    if isinstance(target, bytes):
        target = target.decode(errors="replace")
    if not str(target).startswith(LOOPBACK):
        note(event, target)
        raise OSError(f"the test's guard refuses {event} to {target!r}")


sys.addaudithook(guard)
note("guarded", os.getpid())
"""


# Runs its arguments as a program and prints what the kernel counted meanwhile in this namespace.
_COUNT = """
import subprocess, sys

def outgoing():
    rows = [line.split() for line in open("/proc/net/snmp", encoding="ascii")]
    counted = {}
    for names, values in zip(rows[::2], rows[1::2]):
        counted.update((names[0] + name, int(n)) for name, n in zip(names[1:], values[1:]))
    return {name: counted[name] for name in ("Ip:OutNoRoutes", "Ip:OutRequests")}

before = outgoing()
child = subprocess.run([sys.executable, *sys.argv[1:]], stdout=sys.stderr)
print({name: n - before[name] for name, n in outgoing().items() if n != before[name]})
sys.exit(child.returncode)
"""


class Guarded:
    """Runs Python in a process that can't reach out, and tells what tried."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._record = folder / "record.txt"
        self._root = root
        hook = folder / "guard"
        hook.mkdir()
        (hook / "sitecustomize.py").write_text(_GUARD, encoding="utf-8")
        path = os.pathsep.join([str(hook), str(root), os.environ.get("PYTHONPATH", "")])
        self._environment = {
            **os.environ,
            "PYTHONPATH": path.rstrip(os.pathsep),
            "KFX_GUARD_RECORD": str(self._record),
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self._root,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def _lines(self) -> list[str]:
        if not self._record.exists():
            return []
        return self._record.read_text(encoding="utf-8").splitlines()

    def attempts(self) -> list[str]:
        """Every attempt to reach another machine."""
        return [line for line in self._lines() if not line.startswith("guarded ")]

    def processes(self) -> int:
        """How many processes ran under the guard."""
        return sum(line.startswith("guarded ") for line in self._lines())


@pytest.fixture
def guarded(tmp_path: Path, repo_root: Path) -> Guarded:
    return Guarded(tmp_path, repo_root)


OUTSIDE = "192.0.2.1"  # set aside for documentation by RFC 5737: nobody answers


@pytest.mark.parametrize(
    "attempt",
    [
        f"s = socket.socket(); s.settimeout(1); s.connect(('{OUTSIDE}', 9))",
        f"socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('{OUTSIDE}', 9))",
        "socket.getaddrinfo('kfx.invalid', 80)",
    ],
)
def test_the_guard_sees_and_refuses(guarded: Guarded, attempt: str) -> None:
    child = guarded.run("-W", "ignore", "-c", f"import socket\n{attempt}")
    assert "the test's guard refuses" in child.stderr
    assert len(guarded.attempts()) == 1


def test_the_guard_sees_a_swallowed_attempt_of_a_child(guarded: Guarded) -> None:
    code = f"""
import subprocess, sys
inner = '''
import socket
try:
    socket.create_connection(("{OUTSIDE}", 9), 1)
except OSError:
    pass
'''
subprocess.run([sys.executable, "-c", inner], check=True)
"""
    child = guarded.run("-c", code)
    assert child.returncode == 0, child.stderr
    assert guarded.processes() == 2
    assert guarded.attempts()


def test_the_guard_leaves_this_machine_alone(guarded: Guarded) -> None:
    code = """
import socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
client.close(), server.close()
"""
    child = guarded.run("-c", code)
    assert child.returncode == 0, child.stderr
    assert guarded.attempts() == []


class Walled:
    """Runs Python where there is no network, and tells what the kernel saw leaving."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`stdout` is what was counted; all the program itself says is in `stderr`."""
        wall = ["unshare", "--net"]
        if os.geteuid() != 0:  # root needs no user namespace, which a chroot wouldn't lend
            wall += ["--user", "--map-root-user"]
        return subprocess.run(
            [*wall, sys.executable, "-c", _COUNT, *arguments],
            cwd=self._root,
            capture_output=True,
            text=True,
            timeout=300,
        )


@pytest.fixture
def walled(repo_root: Path) -> Walled:
    if not sys.platform.startswith("linux"):
        pytest.skip("network namespaces are Linux's")
    walled = Walled(repo_root)
    try:
        child = walled.run("-c", "")
    except FileNotFoundError:
        pytest.skip("util-linux's unshare isn't installed")
    if child.returncode != 0:
        pytest.skip(f"this machine lends no network namespace: {child.stderr.strip()[-200:]}")
    return walled


@pytest.mark.parametrize(
    "attempt",
    [
        f"socket.create_connection(('{OUTSIDE}', 9), 1)",
        f"socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('{OUTSIDE}', 9))",
        "socket.getaddrinfo('kfx.invalid', 80)",
    ],
)
def test_the_kernel_counts(walled: Walled, attempt: str) -> None:
    code = f"import socket\ntry:\n    {attempt}\nexcept OSError:\n    pass"
    child = walled.run("-W", "ignore", "-c", code)
    assert child.returncode == 0, child.stderr
    assert "OutNoRoutes" in child.stdout


def render_to(out: Path) -> list[str]:
    words = f"-m kfx render performer -p supernova -o {out} --to 0.3 --size 320x180"
    return words.split()


@pytest.mark.gl
def test_compiled_libraries_reach_nobody(walled: Walled, tmp_path: Path) -> None:
    child = walled.run(*render_to(tmp_path / "out.mp4"))
    assert child.returncode == 0, child.stderr
    assert child.stdout.strip() == "{}"


@pytest.mark.gl
def test_a_render_reaches_nobody(guarded: Guarded, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    child = guarded.run(*render_to(out))
    assert child.returncode == 0, child.stdout + child.stderr
    assert guarded.processes() >= 1
    assert guarded.attempts() == []
    assert out.stat().st_size > 0


@pytest.mark.gl
def test_the_doctor_reaches_nobody(guarded: Guarded) -> None:
    child = guarded.run("-m", "kfx", "doctor", "--json")
    assert child.returncode in (0, 1), child.stdout + child.stderr  # 1: it names what doesn't work
    assert guarded.processes() >= 1
    assert guarded.attempts() == []
