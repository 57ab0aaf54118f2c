"""Size expressions of ISF passes, such as ``max(floor($WIDTH*0.25), 1.0)``."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

_OPERATORS: dict[type[ast.AST], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: math.fmod,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def _clamp(one: float, two: float, three: float) -> float:
    """The middle one: hosts differ in whether the value comes first or second."""
    return sorted((one, two, three))[1]


_FUNCTIONS: dict[str, Any] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
    "sqrt": math.sqrt,
    "abs": abs,
    "trunc": math.trunc,
    "pow": operator.pow,
    "clamp": _clamp,
    "min": min,
    "max": max,
}
_KNOWN = "only numbers, + - * / % ^ ( ), " + ", ".join(_FUNCTIONS) + " and $names are known"
LONGEST = 500  # characters; a longer one is no size


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression; `names` are the variables it reads."""

    text: str
    names: frozenset[str]
    tree: ast.expr

    def value(self, names: Mapping[str, float]) -> float:
        """Its value, nan where the arithmetic has none; raises `ValueError` for a missing name."""
        try:
            return float(_walk(self.tree, names))
        except (ArithmeticError, TypeError):
            return math.nan


def parse(text: str) -> Expression:
    """Check a size expression; raises `ValueError` for anything else than one."""
    if len(text) > LONGEST:
        raise ValueError(f"a size of {len(text)} characters; {LONGEST} are the most")
    try:
        python = text.replace("**", " no ").replace("^", "**").replace("$", "")
        tree = ast.parse(python.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"{text!r} is no expression; {_KNOWN}") from None
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and id(node) not in functions
    }
    with suppress(ArithmeticError, TypeError):  # e.g. 1 / ($a - $b): the values decide, later
        _walk(tree, dict.fromkeys(found, 1.0))
    return Expression(text, frozenset(found), tree)


def evaluate(text: str, names: Mapping[str, float]) -> float:
    """The value of an expression; raises `ValueError` if it is none or a name is unknown."""
    return parse(text).value(names)


def pixels(value: float, largest: int) -> int:
    """A texture's width or height: whole, at least 1, at most what the GPU can."""
    if math.isnan(value):
        return 1
    return int(min(max(value, 1.0), float(largest)))


def _walk(node: ast.AST, names: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name(id=name) if name in names:
            return float(names[name])
        case ast.Name(id=name):
            raise ValueError(f"${name} is unknown; {_KNOWN}")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return float(_OPERATORS[type(op)](_walk(left, names), _walk(right, names)))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return float(_OPERATORS[type(op)](_walk(operand, names)))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return float(_FUNCTIONS[name](*(_walk(one, names) for one in args)))
    raise ValueError(_KNOWN)
