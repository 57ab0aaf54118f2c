"""The shape of the code base: layers, clocks, docstrings, sizes and what installing may name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "kfx"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400  # lines

# From the top down. Inside a level, parts don't import each other.
LAYERS = (
    {"cli", "__main__"},
    {"panel"},
    {"engine"},
    {"shows", "takes"},
    {"presets"},
    {"effects", "motion"},
    {"sources", "tracking", "sync", "render", "neural", "sinks"},
    {
        *("types", "params", "clock", "errors", "assets", "timecode", "canonical", "arkit"),
        *("own_nets", "writing", "cuts"),
    },
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
BOTTOM = LAYERS[-1]  # values, constants and kfx's own nets, which may use each other
PAIRS = {("__main__", "cli")}  # `python -m kfx` is the command line under another name


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def part_of(path: Path) -> str:
    """The layer's name of a module: its folder in kfx, or its own name."""
    inside = path.relative_to(PACKAGE).parts
    return inside[0].removesuffix(".py")


def imported(tree: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported anywhere, in functions too.

    `package` is the package the module lies in, which relative imports start from. Imports that
    only a type checker sees count as well: a cycle of types is a cycle of ideas.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join((*base, *((node.module or "").split(".") if node.module else ())))
            for alias in node.names:
                yield node.lineno, f"{stem}.{alias.name}"
        elif isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func)
            first = node.args[0]
            if called.endswith("import_module") and isinstance(first, ast.Constant):
                yield node.lineno, str(first.value)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    return imported(parse(path), path.relative_to(ROOT).parent.parts)


def wrong_way(importer: str, target: str) -> bool:
    """Whether a module of the part `importer` may not import from the part `target`."""
    if importer == target or (importer, target) in PAIRS:
        return False
    if importer in BOTTOM and target in BOTTOM:
        return False
    return LEVEL[importer] >= LEVEL[target]


@pytest.fixture(params=MODULES, ids=relative)
def module(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_every_part_has_a_level() -> None:
    unknown = {part_of(path) for path in MODULES} - LEVEL.keys() - {"__init__"}
    assert not unknown, f"give {sorted(unknown)} a level in LAYERS, and in ARCHITECTURE.md"


def test_imports_point_one_way(module: Path) -> None:
    importer = part_of(module)
    wrong = []
    for line, name in imports_of(module):
        words = name.split(".")
        if words[0] != "kfx" or len(words) < 2 or words[1] not in LEVEL:
            continue
        if importer == "__init__" or wrong_way(importer, words[1]):
            wrong.append(f"{relative(module)}:{line}: {importer} imports {name}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import kfx.render.gpu", {"kfx.render.gpu"}),
        ("from kfx import engine", {"kfx.engine"}),
        ("def f():\n    from kfx.sinks import osc", {"kfx.sinks.osc"}),
        ("from ..render import gpu", {"kfx.render.gpu"}),
        ("from . import base", {"kfx.effects.base"}),
        ("importlib.import_module('kfx.cli')", {"kfx.cli"}),
    ],
)
def test_the_walk_sees_every_kind_of_import(source: str, found: set[str]) -> None:
    assert {name for _, name in imported(ast.parse(source), ("kfx", "effects"))} == found


def test_the_rule_itself() -> None:
    assert not wrong_way("cli", "types")
    assert not wrong_way("effects", "render")
    assert not wrong_way("errors", "types")
    assert wrong_way("types", "render")
    assert wrong_way("render", "sinks")
    assert wrong_way("effects", "motion")
    assert wrong_way("presets", "engine")


def test_only_the_clock_reads_a_clock(module: Path) -> None:
    if module == PACKAGE / "clock.py":
        return
    tree = parse(module)
    clocks = [
        f"{relative(module)}:{line}: {name}"
        for line, name in imports_of(module)
        if name.split(".")[0] == "time"
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if re.fullmatch(r"(.*\.)?(datetime|date)\.(now|utcnow|today)", called):
                clocks.append(f"{relative(module)}:{node.lineno}: {called}")
    assert not clocks, f"time is an argument; kfx/clock.py reads it: {clocks}"


def test_the_docstring_starts_with_one_sentence(module: Path) -> None:
    text = ast.get_docstring(parse(module))
    assert text, f"{relative(module)} has no docstring"
    first = text.splitlines()[0]
    assert first.endswith("."), f"the first line is no sentence: {first!r}"
    # A full stop, a space and a capital start a second one; "e.g." and "2.0" don't.
    assert not re.search(r"[.!?] +[A-Z]", first), f"the first line is two sentences: {first!r}"


def test_no_module_is_long(module: Path) -> None:
    lines = len(module.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{relative(module)} has {lines} lines: two ideas in one module?"


def test_pyvirtualcam_stays_in_its_process(module: Path) -> None:
    if module == PACKAGE / "sinks" / "vcam_process.py":
        return
    found = [line for line, name in imports_of(module) if name.split(".")[0] == "pyvirtualcam"]
    assert not found, f"{relative(module)}:{found}: GPL-2.0, imported by vcam_process.py alone"


def test_nothing_heavy_is_imported_by_the_package_itself() -> None:
    assert {name for _, name in imports_of(PACKAGE / "__init__.py")} <= {"os"}


def installing_files() -> list[Path]:
    tools = [path for path in (ROOT / "tools").rglob("*") if path.is_file()]
    ci = [path for path in (ROOT / ".ci").rglob("*") if path.is_file()]
    files = [ROOT / "Makefile", ROOT / "pyproject.toml", *tools, *ci]
    return sorted(path for path in files if path.suffix != ".pyc")


@pytest.mark.parametrize("path", [*installing_files(), *MODULES], ids=relative)
def test_no_package_server_is_named(path: Path) -> None:
    """Which index or mirror serves a machine is that machine's own setting."""
    text = path.read_text(encoding="utf-8")
    options = r"--(extra-|default-)?index(-url)?[ =]\S*://|--find-links|\[\[tool\.uv\.index\]\]"
    servers = r"https?://[\w.-]*(packag|python|debian|ubuntu|conda|mirror)[\w.-]*"
    found = [match.group() for match in re.finditer(f"{options}|{servers}", text)]
    assert not found, f"{relative(path)} names {found}"


@pytest.mark.parametrize("path", [*installing_files(), *MODULES], ids=relative)
def test_no_path_of_one_machine_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"""["'\s=](/(?:work|Users|home/[a-z]\w*)/[\w./-]*)""", text)
    assert not found, f"{relative(path)} names {found}"
