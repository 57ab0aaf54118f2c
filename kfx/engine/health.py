"""Checks what works on this machine; every check runs the thing instead of looking for it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from typing import Literal

from kfx import clock

Status = Literal["ok", "warn", "fail"]
PACKAGES = (
    *("kfx", "mediapipe", "moderngl", "numpy", "av", "opencv-contrib-python"),
    *("onnxruntime-gpu", "onnxruntime", "pyvirtualcam", "python-osc", "rich"),
)
REINSTALL = "pip install --force-reinstall kfx"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's answer. `needed`: without it the main job doesn't run."""

    name: str
    status: Status
    detail: str
    remedy: str = ""
    needed: bool = False


def python() -> list[Check]:
    """The interpreter and the packages in use."""
    found = []
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{package} {importlib.metadata.version(package)}")
    good = (3, 11) <= sys.version_info[:2] < (3, 13)
    text = f"{platform.python_version()} on {platform.platform()}; {', '.join(found)}"
    remedy = "" if good else "use Python 3.11 or 3.12: MediaPipe has no wheel for others"
    return [Check("Python", "ok" if good else "fail", text, remedy, needed=True)]


def opengl() -> list[Check]:
    """A standalone context, opened as the engine opens it, and one pixel drawn."""
    from kfx.render.gpu import Gpu

    with Gpu() as gpu:
        target = gpu.ctx.simple_framebuffer((1, 1))
        target.clear(1.0, 0.5, 0.0, 1.0)
        pixel = tuple(target.read(components=3))
        kind = "software: drawn by the CPU" if gpu.software else "GPU"
        detail = f"OpenGL {gpu.version}, {gpu.renderer} ({kind})"
    if not (pixel[0] == 255 and 126 <= pixel[1] <= 129 and pixel[2] == 0):
        detail += f"; draws the wrong colour {pixel}"
        return [Check("OpenGL", "fail", detail, "update the graphics driver", needed=True)]
    return [Check("OpenGL", "ok", detail, needed=True)]


def onnx() -> list[Check]:
    """ONNX Runtime's providers, each by running a net on it, and which of them nets get."""
    from kfx.neural import providers

    checks = []
    probes = providers.probe_all()
    for probe in probes:
        name = f"ONNX {providers.short(probe.provider)}"
        cpu = probe.provider == providers.CPU
        if not probe.error:
            detail = f"probe run right, {probe.ms:.3f} ms"
            checks.append(Check(name, "ok", detail, needed=cpu))
            continue
        remedy = REINSTALL if cpu else "none needed: nets run on the CPU"
        if "CUDA" in probe.provider:
            remedy = 'with an NVIDIA GPU: pip install "kfx[cuda]" and a driver >= 525; else none'
        checks.append(Check(name, "fail" if cpu else "warn", probe.error, remedy, needed=cpu))
    good = next((probe for probe in probes if not probe.error), None)
    if good is not None:
        passed = ", ".join(providers.short(probe.provider) for probe in probes if probe.error)
        detail = f"{providers.short(good.provider)}, then the CPU, {providers.threads()} threads"
        if good.provider == providers.CPU:
            detail = f"the CPU, threads: {providers.threads()}, one core is left for drawing"
        detail += f"; doesn't run: {passed}" if passed else ""
        checks.append(Check("Nets run on", "ok", detail))
    return checks


def mediapipe() -> list[Check]:
    """FaceMesh on the embedded performer's portrait."""
    import cv2
    import matplotlib

    from kfx.tracking.finders.mediapipe import MediaPipe
    from kfx.types import Frame, Pixels

    path = os.path.join(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")
    picture = cv2.imread(path)
    pixels: Pixels = cv2.cvtColor(picture, cv2.COLOR_BGR2RGBA)  # type: ignore[assignment]
    finder = MediaPipe(1)
    times = []
    try:
        for index in range(8):
            began = clock.now()
            found = finder.find(Frame(pixels, index, Fraction(index, 30), began))
            times.append((clock.now() - began) * 1000)
    finally:
        finder.close()
    size = f"{pixels.shape[1]}x{pixels.shape[0]}"
    if len(found) != 1:
        detail = f"found {len(found)} faces in the performer's portrait instead of 1"
        return [Check("MediaPipe", "fail", detail, REINSTALL, needed=True)]
    detail = f"FaceMesh found the face in {statistics.median(times):.1f} ms ({size}, CPU)"
    return [Check("MediaPipe", "ok", detail, needed=True)]


def cameras() -> list[Check]:
    """The cameras the system lists."""
    found = import_module("kfx.sources.camera").devices()
    if found:
        names = ", ".join(f"camera:{device.index} {device.name}" for device in found)
        return [Check("Cameras", "ok", names)]
    remedy = {
        "darwin": "allow the terminal under System Settings, Privacy & Security, Camera",
        "win32": "allow desktop apps under Settings, Privacy, Camera",
    }.get(sys.platform, "plug one in; if it is there: sudo usermod -aG video $USER, log in again")
    return [Check("Cameras", "warn", "none found (-i performer needs none)", remedy)]


def virtual_camera() -> list[Check]:
    """Whether a child process can load pyvirtualcam, and a device to write to.

    On Linux devices are asked what they can do; elsewhere the camera is opened for a moment.
    """
    from kfx.sinks import v4l2, vcam_setup

    name = "Virtual camera"
    code = "import pyvirtualcam; print(pyvirtualcam.__version__)"
    if sys.platform != "linux":
        code += "; c = pyvirtualcam.Camera(1280, 720, 30); print(c.device, c.native_fmt); c.close()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout.split("\n")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        remedy = vcam_setup.here() if said[0] else "pip install pyvirtualcam"
        return [Check(name, "warn", f"pyvirtualcam: {last}", remedy)]
    version = f"pyvirtualcam {said[0]}"
    if sys.platform != "linux":
        return [Check(name, "ok", f"{said[1]}; {version}")]
    nodes = v4l2.loopbacks()
    notes = vcam_setup.module_notes()
    version += f", {notes}" if notes else ""
    listed = ", ".join(f"{n.path} {n.name}{'' if n.writable else ' (in use)'}" for n in nodes)
    if any(node.writable for node in nodes):
        return [Check(name, "ok", f"{listed}; {version}")]
    if nodes:
        remedy = "close the program that sends to it, or load more: " + vcam_setup.RELOAD
        remedy += 'devices=2 video_nr=10,11 card_label=kfx,kfx-2 exclusive_caps="1,1"'
        return [Check(name, "warn", f"{listed}; {version}", remedy)]
    return [Check(name, "warn", f"no v4l2loopback device; {version}", vcam_setup.here())]


def fonts() -> list[Check]:
    """One TrueType font that can be loaded."""
    import matplotlib
    from matplotlib.ft2font import FT2Font

    path = os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return [Check("Fonts", "ok", f"{FT2Font(path).family_name} ({path})")]


def ffmpeg() -> list[Check]:
    """FFmpeg's libraries: a few pictures encoded with each encoder kfx uses and decoded again."""
    import av

    from kfx.engine import ffmpeg_probe

    checks = []
    for encoder, decoder, pixel_format in ffmpeg_probe.CODECS:
        error = ffmpeg_probe.round_trip(encoder, decoder, pixel_format)
        detail = error or f"{encoder} and {decoder} work, PyAV {av.__version__}"
        remedy = "pip install --force-reinstall --only-binary av av" if error else ""
        status: Status = "fail" if error else "ok"
        checks.append(Check(f"FFmpeg {encoder}", status, detail, remedy, needed=True))
    return checks


def disk() -> list[Check]:
    """Room for takes in the working directory."""
    free_gb = shutil.disk_usage(".").free / 1e9
    minutes = free_gb / 2.0  # ProRes 4444 at 1080p30 is about 2 GB a minute
    detail = f"{free_gb:.0f} GB free in {os.getcwd()}: {minutes:.0f} min of ProRes 4444 at 1080p30"
    if free_gb < 10:
        return [Check("Disk", "warn", detail, "free some space, or work on another disk")]
    return [Check("Disk", "ok", detail)]


def connections() -> list[Check]:
    """The policy, so that it can be read to whoever asks on set."""
    text = "kfx opens no connection to the outside but to addresses you name: osc://, streams"
    return [Check("Connections", "ok", text)]


CHECKS: dict[str, Callable[[], list[Check]]] = {
    "Python": python,
    "OpenGL": opengl,
    "ONNX": onnx,
    "MediaPipe": mediapipe,
    "Cameras": cameras,
    "Virtual camera": virtual_camera,
    "Fonts": fonts,
    "FFmpeg": ffmpeg,
    "Disk": disk,
    "Connections": connections,
}
NEEDED = frozenset({"Python", "OpenGL", "MediaPipe", "FFmpeg", "ONNX"})


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what native libraries print to stderr, and Python's warnings."""
    keep = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(keep, 2)
        os.close(keep)


def examine(name: str) -> list[Check]:
    """Run one check of `CHECKS`; one that raises becomes a failed line."""
    try:
        with quiet():
            return CHECKS[name]()
    except Exception as error:  # isolation is the point
        text, _, remedy = (" ".join(str(error).split()) or type(error).__name__).rpartition("; ")
        detail, remedy = (text, remedy) if text else (remedy, REINSTALL)
        return [Check(name, "fail", detail, remedy, needed=name in NEEDED)]


def examine_all() -> list[Check]:
    """Every check, in the order of `CHECKS`."""
    return [check for name in CHECKS for check in examine(name)]


def healthy(checks: list[Check]) -> bool:
    """Whether everything the main job needs works."""
    return not any(check.needed and check.status == "fail" for check in checks)
