"""Whether a module does something when it is imported, beyond binding names.

It does where a statement of its own calls a function or sets an attribute or an item,
or where it uses a function of the library that writes into a register. What another
library registers (Keras's serialization) is taken to change no output.
"""

import ast
from collections.abc import Iterable

WRITES = {"append", "add", "update", "setdefault", "extend", "insert", "register"}


def registrars(tree: ast.Module) -> set[str]:
    """The functions of a module that write into names of the module."""
    kept = {
        node.id
        for statement in tree.body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return {
        function.name
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        and any(_writes(node, kept) for node in ast.walk(function))
    }


def _writes(node: ast.AST, kept: set[str]) -> bool:
    match node:
        case ast.Global():
            return True
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return name in kept
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)):
            return name in kept and method in WRITES
    return False


def acts(tree: ast.Module, registering: set[str]) -> bool:
    """Whether a module does something when it is imported, beyond binding names.

    Args:
        tree: the module's.
        registering: names of functions that write into registers.
    """
    return any(_acts(statement, registering) for statement in tree.body)


def _acts(statement: ast.stmt, registering: set[str]) -> bool:
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Pass():
            return False
        case ast.FunctionDef():
            return _uses(statement.decorator_list, registering)
        case ast.ClassDef():
            done = [*statement.decorator_list, *statement.bases]
            return _uses(done, registering) or any(
                _acts(inner, registering) for inner in statement.body
            )
        case ast.Expr():
            return not isinstance(statement.value, ast.Constant)
        case ast.Assign(targets=targets) if all(map(_plain, targets)):
            return _uses([statement.value], registering)
        case ast.AnnAssign(target=ast.Name()):
            return statement.value is not None and _uses([statement.value], registering)
    return True


def _plain(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple):
        return all(map(_plain, target.elts))
    return isinstance(target, ast.Name)


def _uses(nodes: Iterable[ast.AST], names: set[str]) -> bool:
    inside = (inner for node in nodes for inner in ast.walk(node))
    return any(getattr(n, "attr", getattr(n, "id", None)) in names for n in inside)
