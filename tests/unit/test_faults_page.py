"""FAULTS.md: each fault has its row, the words it quotes are kfx's, the tests it names exist."""

import ast
import re
from pathlib import Path

import pytest

from tests.faults.faulty import SOURCE_FAULTS
from tests.soak.chaos import FAULTS

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in (ROOT / "FAULTS.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| what happens")
]
# Each fault that is injected, by words of the row that tells of it.
TOLD_AS = {
    "unplugged": "camera unplugged",
    "crash": "its driver raises",
    "stall": "camera stalls",
    "size": "picture of another size",
    "shape": "frames that are no pictures",
    "dtype": "frames that are no pictures",
    "empty": "frames that are no pictures",
    "backwards": "the source's clock jumps, back or ahead",
    "forwards": "the source's clock jumps, back or ahead",
    "nan": "a face of numbers that are none",
    "nobody": "no face, for a second or an hour",
    "twenty": "twenty faces",
    "end": "a file ends, or is broken",
    "black": "no face, for a second or an hour",
    "tracker": "the tracker fails",
    "effect": "an effect raises",
    "slow effect": "an effect over its budget five pictures running",
    "hang": "drawing hangs all the same",
    "slow sink": "a sink is slow",
    "camera process": "the camera's process dies or hangs",
    "half preset": "a preset is half written",
    "bad shader": "a saved shader doesn't compile",
    "full disk": "a disk is full",
}


def texts() -> str:
    """All literal text of kfx that a user may be shown, f-strings without their values."""
    found = []
    for path in (ROOT / "kfx").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(getattr(part, "value", "\0") for part in node.values
                                     if isinstance(part, ast.Constant)))  # fmt: skip
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def test_every_row_is_whole() -> None:
    assert len(ROWS) > 25
    assert [row for row in ROWS if len(row) != 5 or not all(row)] == []


@pytest.mark.parametrize("fault", sorted({**SOURCE_FAULTS, **FAULTS}))
def test_what_is_injected_has_a_row(fault: str) -> None:
    assert TOLD_AS[fault] in [row[0] for row in ROWS]


def test_what_is_quoted_is_what_kfx_says() -> None:
    said = texts()
    options = ("--loop", "--supervise")
    quoted = {
        (row[0], words)
        for row in ROWS
        for cell in row[1:4]
        for words in re.findall("`([^`]+)`", cell)
        if words not in options
    }
    assert len(quoted) > 20
    assert sorted(pair for pair in quoted if pair[1] not in said) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_test_that_is_named_is_there(row: list[str]) -> None:
    path, _, name = row[4].strip("`").partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
