"""The exact lines that put a virtual camera on a machine, for `kfx doctor`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

MODULE = Path("/sys/module/v4l2loopback")
OPTIONS = "video_nr=10 card_label=kfx exclusive_caps=1"
# First word of ID or ID_LIKE in os-release → what installs the kernel module.
PACKAGES = {
    "debian": "sudo apt install -y v4l2loopback-dkms linux-headers-$(uname -r)",
    "ubuntu": "sudo apt install -y v4l2loopback-dkms linux-headers-$(uname -r)",
    "fedora": "sudo dnf install -y akmod-v4l2loopback (from RPM Fusion free)",
    "arch": "sudo pacman -S --needed v4l2loopback-dkms linux-headers",
    "suse": "sudo zypper install -y v4l2loopback-kmp-default",
}
LOAD = "sudo modprobe v4l2loopback"
# Written down, so that it is there after the next start as well.
KEEP = (
    f"echo 'options v4l2loopback {OPTIONS}' | sudo tee /etc/modprobe.d/kfx.conf",
    "echo v4l2loopback | sudo tee /etc/modules-load.d/kfx.conf",
)
RELOAD = "sudo modprobe -r v4l2loopback && sudo modprobe v4l2loopback "
MAC = (
    "brew install --cask obs",
    "open OBS (30 or newer), Start Virtual Camera, allow its camera extension in System Settings, "
    "Stop Virtual Camera, quit OBS",
)
WINDOWS = (
    "winget install -e --id OBSProject.OBSStudio",
    r"if its camera is missing, as administrator: "
    r'"C:\Program Files\obs-studio\data\obs-plugins\win-dshow\virtualcam-install.bat"',
    "or, with alpha and several cameras, Unity Capture: "
    "git clone --depth 1 https://github.com/schellingb/UnityCapture and run, as administrator, "
    r"UnityCapture\Install\Install.bat",
)


def lines(platform: str, *, like: str = "", installed: bool = False) -> str:
    """What to type, in order; `like` is the text of os-release."""
    if platform == "darwin":
        return "; ".join(MAC)
    if platform == "win32":
        return "; ".join(WINDOWS)
    steps = [*KEEP, LOAD]
    if not installed:
        steps.insert(0, _package(like))
    return " && ".join(steps)


def here() -> str:
    """`lines` for this machine."""
    like = ""
    with contextlib.suppress(OSError):
        like = Path("/etc/os-release").read_text(encoding="utf-8", errors="replace")
    return lines(sys.platform, like=like, installed=module_installed())


def module_installed() -> bool:
    """Whether the kernel that runs has the module, loaded or not."""
    if MODULE.exists():
        return True
    modinfo = shutil.which("modinfo", path=os.environ.get("PATH", "") + ":/sbin:/usr/sbin")
    if modinfo is None:
        return False
    done = subprocess.run([modinfo, "v4l2loopback"], capture_output=True, check=False, timeout=10)
    return done.returncode == 0


def module_notes(module: Path = MODULE) -> str:
    """Version and options of the loaded module, empty where nothing can be said."""
    notes = []
    with contextlib.suppress(OSError):
        notes.append("v4l2loopback " + (module / "version").read_text().strip())
    with contextlib.suppress(OSError):
        caps = (module / "parameters/exclusive_caps").read_text().strip().split(",")
        if caps and caps[0] in ("N", "0"):
            notes.append("exclusive_caps is off: Chrome and some other programs don't list it")
    return ", ".join(notes)


def _package(like: str) -> str:
    found = re.findall(r'^ID(?:_LIKE)?="?([^"\n]*)', like, re.MULTILINE)
    words = " ".join(found).replace("opensuse", "suse").split()
    for word in words:
        for name, line in PACKAGES.items():
            if word == name or word.startswith(f"{name}-"):
                return line
    return "install your distribution's v4l2loopback (its DKMS package)"
