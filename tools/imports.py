"""Which files of the library a piece of code reaches by its imports, read not run.

A module is reached whole: with it everything that it imports. Only a package's
``__init__.py`` may be reached by name: of ``from cnnlib import plots`` and
``plots.images`` it is that file, and the module from which it takes ``images``. A
sibling that is executed only because ``__init__.py`` imports it too is *not* reached,
unless it acts when it is imported (``tools/effects.py`` says what that is).

Whatever cannot be told by reading counts as everything: a package that is passed
around, ``import *``, a name that ``__init__.py`` does not import, ``__import__``.
"""

import ast
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from tools.effects import acts, registrars

DYNAMIC = {"import_module", "__import__", "run_module", "exec", "eval", "globals"}


# What a use of a module is, where it is not the use of one of its names.
EVERYTHING, NOTHING = "*", ""


class Library:
    """The packages and modules in a folder that imports may lead to, read once.

    Args:
        folder: where they lie.
        tops: the packages' names; all else is not ours.
    """

    def __init__(self, folder: Path, tops: Iterable[str]):
        self.folder, self.tops = folder, set(tops)
        self._trees: dict[str, ast.Module] = {}
        self._uses: dict[str, list[tuple[str, str]]] = {}

    def file(self, module: str) -> Path | None:
        """The file of a module such as ``cnnlib.plots``; None where it is not ours."""
        if module.partition(".")[0] not in self.tops:
            return None
        stem = self.folder / module.replace(".", "/")
        for path in (stem / "__init__.py", stem.with_suffix(".py")):
            if path.is_file():
                return path
        return None

    def modules(self, package: str) -> list[str]:
        """A module and all that lie below it."""
        path = self.file(package)
        if path is None or path.name != "__init__.py":
            return [package] if path else []
        below = sorted(path.parent.rglob("*.py"))
        names = [p.relative_to(self.folder).with_suffix("").parts for p in below]
        return [".".join(n[:-1] if n[-1] == "__init__" else n) for n in names]

    def tree(self, module: str) -> ast.Module:
        """The syntax tree of one of our modules."""
        if module not in self._trees:
            path = self.file(module)
            self._trees[module] = ast.parse(path.read_bytes(), str(path))
        return self._trees[module]

    def uses(self, module: str) -> list[tuple[str, str]]:
        """What one of our modules uses of others."""
        if module not in self._uses:
            self._uses[module] = uses(self, self.tree(module), module)
        return self._uses[module]

    @cached_property
    def registrars(self) -> set[str]:
        """The functions that write into something that belongs to their module."""
        every = (module for top in self.tops for module in self.modules(top))
        return {name for module in every for name in registrars(self.tree(module))}

    @cached_property
    def acting(self) -> set[str]:
        """The modules that do something when they are imported, beyond names."""
        every = (module for top in self.tops for module in self.modules(top))
        return {module for module in every if acts(self.tree(module), self.registrars)}

    def executed_with(self, module: str) -> set[str]:
        """A module, and all modules that are executed when it is imported."""
        executed, waiting = set(), [module]
        while waiting:
            one = waiting.pop()
            if one not in executed and self.file(one):
                executed.add(one)
                waiting += [one.rpartition(".")[0], *self._imports(one)]
        return executed

    def _imports(self, module: str) -> list[str]:
        """What the lines of a module import, and perhaps more."""
        names = []
        for node in ast.walk(self.tree(module)):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                source = self.source(node, module)
                names += [source, *(f"{source}.{a.name}" for a in node.names)]
        return names

    def source(self, node: ast.ImportFrom, module: str) -> str:
        """The module that a line of ``module`` imports from; relative ones too."""
        if not node.level:
            return node.module or ""
        path = self.file(module)
        levels = node.level - (path is not None and path.name == "__init__.py")
        parts = module.split(".")
        around = parts[: len(parts) - levels]
        return ".".join([*around, *([node.module] if node.module else [])])


def uses(library: Library, tree: ast.AST, module: str = "") -> list[tuple[str, str]]:
    """What a syntax tree uses of a library: modules, each with a name in it.

    Instead of a name it may be EVERYTHING, or NOTHING where a module is only imported.

    Args:
        library: whose modules count.
        tree: the code.
        module: whose code it is, where it belongs to the library.
    """
    aliases: dict[str, str] = {}
    used: list[tuple[str, str]] = []
    by_name = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in (a for a in node.names if library.file(a.name)):
                if alias.asname:
                    aliases[alias.asname] = alias.name
                    used.append((alias.name, NOTHING))
                else:
                    used.append((alias.name.partition(".")[0], EVERYTHING))
        elif isinstance(node, ast.ImportFrom):
            source = library.source(node, module)
            for alias in node.names if library.file(source) else ():
                inner = f"{source}.{alias.name}"
                if library.file(inner):
                    aliases[alias.asname or alias.name] = inner
                    used.append((inner, NOTHING))
                else:
                    used.append((source, alias.name))
        elif _called(node) == "globals" and module:
            by_name = True
        elif _called(node) in DYNAMIC and not _within_its_package(node):
            used += [(top, EVERYTHING) for top in library.tops]
    if by_name:  # any of the modules that are imported, with any of its names
        used += [(target, EVERYTHING) for target in aliases.values()]
    return used + _attributes(library, tree, aliases)


def _attributes(
    library: Library, tree: ast.AST, aliases: dict[str, str]
) -> list[tuple[str, str]]:
    """The use behind each ``alias.name``; an alias that stands alone is anything."""
    if not aliases:
        return []
    parents = {
        child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)
    }
    used = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in aliases:
            module, name, around = aliases[node.id], EVERYTHING, parents.get(node)
            while name == EVERYTHING and isinstance(around, ast.Attribute):
                inner = f"{module}.{around.attr}"
                if library.file(inner):
                    module, around = inner, parents.get(around)
                else:
                    name = around.attr
            used.append((module, name))
    return used


class Reach:
    """Collects the files that code reaches."""

    def __init__(self, library: Library):
        self.library = library
        self.files: set[Path] = set()
        self._whole: set[str] = set()
        self._names: set[tuple[str, str]] = set()
        self._entered: set[str] = set()

    def code(self, tree: ast.AST) -> None:
        """Follow what code uses that does not belong to the library."""
        self._follow(uses(self.library, tree))

    def _follow(self, used: list[tuple[str, str]]) -> None:
        for module, name in used:
            if name == EVERYTHING:
                self.package(module)
            elif name == NOTHING:
                self._enter(module)
            else:
                self.name(module, name)

    def package(self, module: str) -> None:
        """A module was reached whole, with all that lies below it."""
        self._enter(module)
        for below in self.library.modules(module):
            self.module(below)

    def module(self, module: str) -> None:
        """One file was reached whole, with everything that it imports."""
        path = self.library.file(module)
        if module in self._whole or path is None:
            return
        self._whole.add(module)
        self._enter(module)
        self.files.add(path)
        self._follow(self.library.uses(module))

    def name(self, module: str, name: str) -> None:
        """A name of a module was used."""
        if (module, name) in self._names:
            return
        self._names.add((module, name))
        self._enter(module)
        path = self.library.file(module)
        if path is None or path.name != "__init__.py":
            self.module(module)
            return
        body = self.library.tree(module).body
        binding = [statement for statement in body if name in _binds(statement)]
        if len(binding) == 1 and isinstance(binding[0], ast.ImportFrom):
            source = self.library.source(binding[0], module)
            original = next(
                a.name for a in binding[0].names if (a.asname or a.name) == name
            )
            if self.library.file(f"{source}.{original}"):
                self.package(f"{source}.{original}")
            else:
                self.name(source, original)
        else:
            self.package(module)

    def _enter(self, module: str) -> None:
        """A module is imported, and before it the packages around it."""
        around, _, _ = module.rpartition(".")
        if around:
            self._enter(around)
        path = self.library.file(module)
        if module in self._entered or path is None:
            return
        self._entered.add(module)
        if path.name != "__init__.py":
            self.module(module)
            return
        self.files.add(path)
        # What a package does when it is imported is done by some of its modules too.
        for executed in self.library.executed_with(module) & self.library.acting:
            self.module(executed)


def _called(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    return getattr(node.func, "attr", getattr(node.func, "id", None))


def _within_its_package(call: ast.Call) -> bool:
    """Whether it is ``import_module(f"{__name__}....")``, which leads nowhere else."""
    match call.args:
        case [ast.JoinedStr(values=[ast.FormattedValue(value=ast.Name(id=name)), *_])]:
            return name == "__name__"
    return False


def _binds(statement: ast.stmt) -> set[str]:
    """The names that a statement of a module may bind."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {a.asname or a.name for a in statement.names}
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    names = (n for n in ast.walk(statement) if isinstance(n, ast.Name))
    return {n.id for n in names if not isinstance(n.ctx, ast.Load)}
