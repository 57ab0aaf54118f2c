"""Fixtures every test may ask for, with a printed reason for whatever this machine lacks."""

import functools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDER_MARKERS = {"gl": "gl", "device": "device"}  # folder under tests/ → marker

_GL_PROBE = """
import sys, moderngl
options = {"backend": "egl"} if sys.platform.startswith("linux") else {}
context = moderngl.create_context(standalone=True, require=330, **options)
print(context.info["GL_RENDERER"])
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in tests/gl and tests/device carry the marker of their folder."""
    for item in items:
        inside = item.path.relative_to(ROOT / "tests").parts if ROOT in item.path.parents else ()
        marker = FOLDER_MARKERS.get(inside[0]) if inside else None
        if marker is not None:
            item.add_marker(marker)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A marked test is skipped, with the reason, where its need isn't met."""
    if item.get_closest_marker("gl") is not None:
        require_gl()
    if item.get_closest_marker("shared") is not None:
        require_shared()


@functools.cache
def probe_gl() -> tuple[bool, str]:
    """Whether an OpenGL 3.3 context can be made, with the renderer's name or the reason.

    A child process tries it: a broken driver may crash, and no second context is left current
    beside the one under test.
    """
    command = [sys.executable, "-c", _GL_PROBE]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return False, "the driver didn't answer within 60 s"
    if child.returncode == 0:
        return True, child.stdout.strip()
    said = child.stderr.strip().splitlines()
    return False, said[-1] if said else f"the driver ended the process with {child.returncode}"


def require_gl() -> str:
    """The renderer's name; skips the test where no OpenGL 3.3 context can be made."""
    works, says = probe_gl()
    if not works:
        pytest.skip(f"no OpenGL 3.3 context on this machine: {says}; tools/setup.sh installs Mesa")
    return says


def require_shared() -> Path:
    """The folder of shared test material; skips the test where it is absent."""
    path = ROOT.parent / "shared"
    if not (path / "data").is_dir():
        pytest.skip("no shared test material: expected a folder ../shared/data beside the checkout")
    return path


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared test material beside the checkout."""
    return require_shared()


@pytest.fixture(scope="session")
def gl() -> str:
    """The name of the OpenGL renderer that a fresh context gets."""
    return require_gl()
