"""The faults that can be planted in a module, each in one place.

What code like this suffers from: a comparison or a sign turned round, a number off by
one, padding, interpolation or a reduction of another kind, an argument left out, a
branch never taken. Docstrings, and what an error says, are left alone.
"""

import ast
import copy

SWAPS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
WORDS = {
    "same": "valid",
    "valid": "same",
    "nearest": "bilinear",
    "bilinear": "nearest",
    "reflect": "constant",
    "horizontal": "vertical",
    "relu": "linear",
    "min": "max",
    "max": "min",
    "minimum": "maximum",
    "maximum": "minimum",
    "argmax": "argmin",
    "argmin": "argmax",
    "floor": "ceil",
    "ceil": "floor",
    "mean": "sum",
    "sum": "mean",
    "sorted": "list",
    "rint": "floor",
}


class Faults(ast.NodeVisitor):
    """All places of a module where a fault can be planted, with what it does there."""

    def __init__(self):
        self.found: list[tuple[ast.AST, str]] = []

    def visit(self, node):
        kind = type(node)
        if kind in (ast.FunctionDef, ast.ClassDef, ast.Module) and ast.get_docstring(
            node
        ):
            node.body[0].value.kind = "docstring"
        if kind is ast.Raise:  # what an error says is not what the code does
            return
        if kind is ast.Constant and node.kind != "docstring":
            value = node.value
            if isinstance(value, bool):
                self.found.append((node, f"{value} → {not value}"))
            elif isinstance(value, int):
                self.found.append((node, f"{value} → {value + 1}"))
            elif isinstance(value, float):
                self.found.append((node, f"{value} → {value * 1.5 or 1.0:g}"))
            elif value in WORDS:
                self.found.append((node, f"{value!r} → {WORDS[value]!r}"))
        if kind in (ast.Name, ast.Attribute):
            name = node.id if kind is ast.Name else node.attr
            if name in WORDS and isinstance(node.ctx, ast.Load):
                self.found.append((node, f"{name} → {WORDS[name]}"))
        if kind is ast.Compare and type(node.ops[0]) in SWAPS:
            self.found.append((node, f"another {type(node.ops[0]).__name__}"))
        if kind in (ast.BinOp, ast.BoolOp, ast.AugAssign) and type(node.op) in SWAPS:
            self.found.append((node, f"another {type(node.op).__name__}"))
        if kind is ast.UnaryOp and isinstance(node.op, (ast.Not, ast.USub)):
            self.found.append((node, f"no {type(node.op).__name__}"))
        if kind is ast.Call:
            for i, word in enumerate(node.keywords):
                if word.arg not in (None, "name", "alt"):
                    self.found.append((node, f"without {word.arg}= #{i}"))
        if kind is ast.If and not any(isinstance(n, ast.Raise) for n in ast.walk(node)):
            self.found.append((node, "if never"))
        self.generic_visit(node)


def planted(source: str, number: int) -> tuple[str, int, str]:
    """The source with one fault, its line, and what it is."""
    tree = ast.parse(source)
    faults = Faults()
    faults.visit(tree)
    node, what = faults.found[number]
    kind = type(node)
    if kind is ast.Constant:
        value = node.value
        if isinstance(value, bool):
            node.value = not value
        elif isinstance(value, int):
            node.value = value + 1
        elif isinstance(value, float):
            node.value = value * 1.5 or 1.0
        else:
            node.value = WORDS[value]
    elif kind is ast.Name:
        node.id = WORDS[node.id]
    elif kind is ast.Attribute:
        node.attr = WORDS[node.attr]
    elif kind is ast.Compare:
        node.ops[0] = SWAPS[type(node.ops[0])]()
    elif kind in (ast.BinOp, ast.BoolOp, ast.AugAssign):
        node.op = SWAPS[type(node.op)]()
    elif kind is ast.UnaryOp:
        node.op = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
        if isinstance(node.op, ast.Not):
            node.operand = ast.UnaryOp(ast.Not(), copy.deepcopy(node.operand))
    elif kind is ast.Call:
        del node.keywords[int(what.rpartition("#")[2])]
    else:
        node.test = ast.Constant(False)
    return ast.unparse(ast.fix_missing_locations(tree)), node.lineno, what


def count(source: str) -> int:
    """How many faults can be planted in a module."""
    faults = Faults()
    faults.visit(ast.parse(source))
    return len(faults.found)
