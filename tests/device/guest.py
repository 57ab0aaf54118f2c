"""Runs commands in the virtual machine that brings a real v4l2loopback and a real camera.

The guest is never prepared from here (that takes minutes): without it the tests are skipped
with the command that prepares it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOL = ROOT.parent / "shared/tools/vm-run.sh"
CACHE = Path(
    os.environ.get("VCAM_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kfx-vcam"
)


def why_not() -> str:
    """The reason to skip, empty if the guest can be started."""
    if sys.platform != "linux":
        return "the virtual machine with video devices runs on Linux only"
    if not TOOL.exists():
        return f"{TOOL} is not there"
    if not (CACHE / "uml/linux").exists():
        return f"no guest in {CACHE}; prepare it once: bash {TOOL} --prepare uml"
    if os.environ.get("KFX_GUEST") == "off":
        return "KFX_GUEST=off: the guest's tests take six minutes; make test ARGS=tests/device"
    return ""


def run(
    command: list[str], *, writable: Path, loopback: str = "", timeout_s: int = 300
) -> subprocess.CompletedProcess[str]:
    """Run `command` in a fresh guest, in the repository's root; `writable` is shared with it."""
    environment = dict(os.environ, VM_ACCEL="uml", VM_QUIET="1", VM_RW=str(writable))
    environment["VM_TIMEOUT"] = str(timeout_s)
    environment["VCAM_CACHE"] = str(CACHE)
    if loopback:
        environment["VM_LOOPBACK_ARGS"] = loopback
    return subprocess.run(
        ["bash", str(TOOL), "--", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s + 30,
        check=False,
    )
