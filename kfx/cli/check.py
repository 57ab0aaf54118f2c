"""``kfx check``: reads presets and says where a fault is; with ``--shader`` it tries shaders."""

from __future__ import annotations

import argparse
import contextlib
import json
import queue
import subprocess
import sys
import threading

EPILOG = """examples:
  kfx check supernova
  kfx check looks/*.toml my.fs
  kfx check --shader my.fs other.fs      compile them and draw a frame: a line of JSON each
  kfx check --shader my.fs --glsl 330    as an older computer or a Mac would
"""

SECONDS = 60  # for one shader
_UNKNOWN: dict[str, object] = {
    **{"file": "", "ok": False, "kind": None, "passes": 0},
    **{"inputs": [], "error": "", "warnings": []},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("preset", nargs="*", metavar="PRESET", help="a name, .toml or .fs file")
    parser.add_argument("--shader", nargs="+", metavar="FILE", help="ISF files to compile and draw")
    parser.add_argument(
        "--glsl", type=int, choices=(330, 410, 450), help="the GLSL version that --shader takes"
    )


def run(options: argparse.Namespace) -> int:
    from kfx.errors import UsageError

    if not options.preset and not options.shader:
        raise UsageError("kfx check: name a preset, or --shader FILE")
    if options.glsl and not options.shader:
        raise UsageError("kfx check: --glsl goes with --shader FILE")
    good = _presets(options.preset)
    if options.shader:
        good = _shaders(options.shader, options.glsl) and good
    return 0 if good else 1


def _presets(names: list[str]) -> bool:
    from kfx import presets
    from kfx.errors import KfxError

    good = True
    for name in names:
        try:
            preset = presets.load(name)
        except KfxError as error:
            good = False
            print(f"FAILED {error}", file=sys.stderr)
            continue
        chain = " → ".join(link.effect.name for link in preset.chain) or "the clean plate"
        print(f"ok     {preset.path or name}: {chain}")
        sources = dict.fromkeys(one.signal for link in preset.chain for one in link.sources)
        if sources:
            print(f"       follows {', '.join(sources)}")
        for link in preset.chain:
            for warning in getattr(link.effect.source, "warnings", ()):
                print(f"       {link.effect.where}: {warning}")
    return good


def _shaders(files: list[str], glsl: int | None) -> bool:
    """Check files in a process apart, which a bad one may hang or crash: the rest goes on."""
    good, worker = True, None
    for name in files:
        worker = worker or _Worker(glsl)
        line = worker.check(name)
        if line is None:
            worker = None
            fault = f"{name}: it hangs or crashes the driver; {SECONDS} s were waited"
            line = json.dumps({**_UNKNOWN, "file": name, "error": fault}, ensure_ascii=False)
        good = bool(json.loads(line)["ok"]) and good
        print(line, flush=True)
    if worker:
        worker.end()
    return good


class _Worker:
    """A process that answers each path with a line of JSON."""

    def __init__(self, glsl: int | None) -> None:
        code = f"from kfx.render import isf_check; isf_check.serve({glsl})"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def check(self, path: str) -> str | None:
        """The verdict on a file; None, and the process is gone, if there is none in time."""
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(path) + "\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=SECONDS)
        except (OSError, queue.Empty):
            line = ""
        if not line:
            self.end()
        return line or None

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):  # closed while it was read: the end
            for line in self._process.stdout:
                self._lines.put(line.rstrip("\n"))
        self._lines.put("")
