"""What must be instant loads nothing heavy: presets, the command line and its help."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HEAVY = {"moderngl", "cv2", "mediapipe", "onnxruntime", "av", "matplotlib"}
HELP_CPU_S = 0.3  # what the project promises for `kfx --help`

_LOADED = """
import json, sys
{statement}
json.dump(sorted({{name.split(".")[0] for name in sys.modules}}), sys.__stdout__)
"""


def loaded_by(statement: str, cwd: Path) -> set[str]:
    """The top-level modules a fresh process holds after `statement`."""
    code = _LOADED.format(statement=textwrap.dedent(statement))
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=60
    )
    assert child.returncode == 0, child.stderr
    listed = child.stdout[child.stdout.rindex("[") :]
    return {name.strip(' "[]\n') for name in listed.split(",")}


@pytest.mark.parametrize("module", ["kfx", "kfx.presets", "kfx.cli", "kfx.params", "kfx.types"])
def test_importing_is_cheap(module: str, repo_root: Path) -> None:
    loaded = loaded_by(f"import {module}", repo_root)
    assert "kfx" in loaded
    assert not loaded & HEAVY


def test_help_loads_no_library_for_pictures_or_numbers(repo_root: Path) -> None:
    statement = """
        import contextlib, io
        from kfx.cli import main
        with contextlib.redirect_stdout(io.StringIO()) as said:
            try:
                main(["--help"])
            except SystemExit as end:
                assert not end.code, end.code
        assert "render" in said.getvalue(), said.getvalue()
    """
    loaded = loaded_by(statement, repo_root)
    assert not loaded & (HEAVY | {"numpy"})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource usage of children")
def test_help_is_instant(repo_root: Path) -> None:
    import resource

    def cpu_s() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "kfx", "--help"],
            cwd=repo_root,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    best = min(cpu_s() for _ in range(3))
    assert best < HELP_CPU_S, f"kfx --help used {best:.2f} s of CPU"
