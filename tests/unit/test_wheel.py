"""The wheel carries everything `pip install .` needs to work outside a checkout."""

import subprocess
import sys
import zipfile
from configparser import ConfigParser
from importlib.util import find_spec
from pathlib import Path

import pytest

CARRIED = {  # folder of the checkout → its place in the wheel
    "shaders": ("kfx/shaders", ("*.fs",)),
    "presets": ("kfx/presets_library", ("*.toml",)),
    "models": ("kfx/models", ("*.onnx", "*.toml")),
}


@pytest.fixture(scope="module")
def wheel(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel as hatchling builds it, without a network."""
    out = tmp_path_factory.mktemp("wheel")
    if find_spec("hatchling") is not None:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    else:
        found = next(
            (path for path in brought_uv(repo_root) if path.is_file()),
            None,
        )
        if found is None:
            pytest.skip("neither hatchling nor uv is at hand to build a wheel")
        command = [str(found), "build", "--wheel", "--offline", "--out-dir", str(out)]
        command += ["--python", sys.executable]
    child = subprocess.run(command, cwd=repo_root, capture_output=True, text=True, timeout=300)
    if child.returncode != 0 and "hatchling" in child.stderr and "--offline" in command:
        pytest.skip("hatchling isn't in uv's cache and this test opens no network")
    assert child.returncode == 0, child.stderr
    (path,) = out.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def brought_uv(root: Path) -> list[Path]:
    """Where uv may be: on the PATH, or where tools/setup.sh puts it."""
    import shutil

    on_path = shutil.which("uv")
    ours = [root / ".tools" / folder / "bin" / "uv" for folder in ("venv", "site")]
    return [*([Path(on_path)] if on_path else []), *ours]


@pytest.mark.parametrize("folder", CARRIED)
def test_data_files_travel_along(wheel: zipfile.ZipFile, repo_root: Path, folder: str) -> None:
    inside, patterns = CARRIED[folder]
    here = {path.name for pattern in patterns for path in (repo_root / folder).glob(pattern)}
    there = {
        name.removeprefix(f"{inside}/") for name in wheel.namelist() if name.startswith(inside)
    }
    assert here <= there


def test_every_module_travels_along(wheel: zipfile.ZipFile, repo_root: Path) -> None:
    modules = {path.relative_to(repo_root).as_posix() for path in (repo_root / "kfx").rglob("*.py")}
    assert modules <= set(wheel.namelist())


def test_nothing_else_travels_along(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"kfx"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name]


def test_the_command_is_declared(wheel: zipfile.ZipFile) -> None:
    (name,) = [one for one in wheel.namelist() if one.endswith("entry_points.txt")]
    points = ConfigParser()
    points.read_string(wheel.read(name).decode())
    assert points["console_scripts"]["kfx"] == "kfx.cli:main"


def test_the_licence_travels_along(wheel: zipfile.ZipFile) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
