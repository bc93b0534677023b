"""What a notebook's outputs depend on; they are stale where any of it changed."""

import ast
import sys
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager

from tools.course import Course, digest, read
from tools.imports import Library, Reach

TOOLS = Path(__file__).parent
EXECUTE = [TOOLS / "execute.py", TOOLS / "kernel.py"]
KNOBS = ("CNNLIB_SCALE", "CNNLIB_DATA", "KERAS_BACKEND")
# Lines of IPython's own that lead to no module; any other may lead anywhere.
HARMLESS = {"matplotlib", "config", "time", "timeit"}


class Keys:
    """What notebooks' outputs are made from, as one digest for each notebook.

    Args:
        course: the folders, as they are now.
        env: the environment that kernels will have.
    """

    def __init__(self, course: Course, env: dict[str, str]):
        self.course, self.env = course, env
        self.library = Library(course.root, ["cnnlib"])

    def of(self, path: Path) -> str:
        """A digest of everything that a notebook's outputs may depend on.

        That is its cells (not its outputs), the files that it reaches, the knobs, the
        requirements, this Python and the code that runs it.
        """
        cells = [
            [cell.cell_type, cell.source, cell.metadata, cell.get("attachments")]
            for cell in read(path).cells
        ]
        root, files = self.course.root, self.files(path)
        requirements = [p for p in [root / "requirements.txt"] if p.exists()]
        return digest(
            cells,
            [self.env.get(knob) for knob in KNOBS],
            [str(file.relative_to(root)) for file in files],
            *files,
            *requirements,
            list(sys.version_info),
            *EXECUTE,
        )

    def files(self, path: Path) -> list[Path]:
        """The files of library, exercises and results that a notebook reaches.

        Of exercises it is the notebook's own chapter and what all chapters share; of
        ``results/`` the files that it names, all where it names the folder alone.
        """
        sources = _sources(path)
        reach = Reach(self.library)
        exercises = self.course.root / "notebooks/exercises"
        chapters = set(exercises.glob("chapter*.py"))
        others = chapters - {exercises / f"chapter{path.name[:2]}.py"}
        asked = set(exercises.glob("*.py")) - others
        if tree := _joined(sources):
            reach.code(tree)
            if _leads_anywhere(tree):
                reach.package("cnnlib")
            if not _imports(tree, "exercises"):
                asked = set()
        else:
            reach.package("cnnlib")
        for file in sorted(asked):
            reach.code(ast.parse(file.read_bytes()))
        results = _results(self.course, "\n".join(sources))
        return sorted({*reach.files, *_data_beside(reach.files), *asked, *results})


def _sources(path: Path) -> list[str]:
    """The code of each cell, with IPython's own lines turned into Python."""
    nb = read(path)
    python = TransformerManager()
    code = (cell.source for cell in nb.cells if cell.cell_type == "code")
    return [python.transform_cell(source) for source in code]


def _joined(sources: list[str]) -> ast.Module | None:
    """All cells as one module; None where one is not Python."""
    try:
        trees = [ast.parse(source) for source in sources]
    except SyntaxError:
        return None
    return ast.Module([statement for tree in trees for statement in tree.body], [])


def _imports(tree: ast.AST, package: str) -> bool:
    """Whether code imports a package, or something of it."""
    names = [
        alias.name if isinstance(node, ast.Import) else node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    return any(name.partition(".")[0] == package for name in names)


def _leads_anywhere(tree: ast.AST) -> bool:
    """Whether code asks IPython or the system to run something."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id="subprocess" | "runpy"):
                return True
            case ast.Attribute(attr="system" | "getoutput" | "run_cell_magic"):
                return True
            case ast.Call(func=ast.Attribute(attr="run_line_magic"), args=[magic, *_]):
                if not isinstance(magic, ast.Constant) or magic.value not in HARMLESS:
                    return True
    return False


def _data_beside(modules: set[Path]) -> set[Path]:
    """What lies beside modules and is no module: data that they may read."""
    folders = {module.parent for module in modules}
    beside = (file for folder in folders for file in folder.iterdir())
    return {f for f in beside if f.is_file() and f.suffix not in (".py", ".pyc")}


def _results(course: Course, code: str) -> list[Path]:
    results = sorted((course.root / "results").glob("*.json"))
    named = [file for file in results if file.name in code]
    return named if named or "results" not in code else results
