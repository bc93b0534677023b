"""Gives all that reads files damaged ones, and counts what came but a refusal.

    python -m tools.fuzz --count 100000 --seed 0

Files are made small and whole, then changed at random. A set of known checksum comes
out as it was, or is a ``ChecksumError``; a picture is read, or is a ``ValueError``; a
notebook becomes a page and a deck, or is a ``CourseError``: one line that names the
file. All else is a fault: another error, a hang, memory far beyond
what was given. Files that showed one are kept in ``build/fuzz``.
"""

import argparse
import base64
import collections
import gzip
import hashlib
import io
import os
import pickle
import random
import resource
import signal
import struct
import tarfile
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import keras
import nbformat
import numpy as np
from nbformat import v4
from PIL import Image

from cnnlib import datasets
from cnnlib.datasets import sequences
from cnnlib.datasets.catalogue import IDX, SETS
from cnnlib.models import torch_file
from tools import build, render
from tools.course import Course, CourseError, Lesson
from tools.course import read as read_notebook

KEPT = Path(__file__).parents[1] / "build/fuzz"
SECONDS = 60  # of processor time for one file; more is a hang
MEMORY = 4 << 30  # bytes to ask for: a picture of the most pixels allowed takes 3 GB
NOTEBOOK = "notebooks/01_damaged.ipynb"
GUNPOINT = b"@data\n1.5,-2,3:1\n4,5,6:2\n"
TIFF, PNG = "tiff", "png"
PICTURES = [(PNG, "L"), (PNG, "RGBA"), (PNG, "P"), (PNG, "I;16"), (TIFF, "I;16")]
PICTURES += [(TIFF, "RGB"), ("jpeg", "RGB"), ("gif", "P"), ("bmp", "RGB")]
PICTURES += [("webp", "RGB"), ("ppm", "RGB"), ("ico", "RGBA")]


class Kind(NamedTuple):
    """A file to be damaged, what lies beside it, and who reads it."""

    file: str
    whole: dict[str, bytes]  # file and neighbours
    read: Callable[[Path], object]  # takes the folder they lie in
    error: type[Exception] = ValueError


class Hang(BaseException):
    """From the clock: no ``except Exception`` may take it for a damaged file."""


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _tar(files: dict[str, bytes], mode: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


def _picture(form: str, mode: str) -> bytes:
    rng = np.random.default_rng(0)
    if mode == "I;16":
        image = Image.fromarray(rng.integers(0, 4096, (9, 11)).astype("uint16"))
    else:
        pixels = rng.integers(0, 256, (9, 11, 3)).astype("uint8")
        image = Image.fromarray(pixels).convert(mode)
    made = io.BytesIO()
    image.save(made, form, sizes=[image.size])  # else so small an icon may be empty
    return made.getvalue()


def _notebook() -> bytes:
    """A notebook with a cell and an output of every kind."""
    png = base64.b64encode(_picture(PNG, "L")).decode()
    outputs = [
        v4.new_output("stream", name="stdout", text="90 (between 85 and 97)\n"),
        v4.new_output("execute_result", {"text/html": "<b>2</b>", "text/plain": "2"}),
        v4.new_output(
            "display_data", {"image/png": png}, metadata={"image/png": {"alt": "Grey."}}
        ),
        v4.new_output("error", ename="ZeroDivisionError", traceback=["\x1b[31mHere"]),
    ]
    title = "# A title\n\nA sentence.\n\n**Talk section:** 2 · **5 minutes**"
    text = "## It holds\n\nFor $x^2$, [f](01_damaged.ipynb#it-holds): `f`.\n\n$$x_i$$"
    cells = [v4.new_markdown_cell(title), v4.new_markdown_cell(text)]
    cells += [v4.new_code_cell("f()", execution_count=1, outputs=[o]) for o in outputs]
    kinds = ("slide", "slide", "fragment", "subslide", "-", "skip")
    for i, (cell, kind) in enumerate(zip(cells, kinds, strict=True)):
        cell.id, cell.metadata = f"cell-{i}", {"slideshow": {"slide_type": kind}}
    return nbformat.writes(v4.new_notebook(cells=cells)).encode()


def _build(at: Path) -> None:
    """Make what the builder makes of a notebook."""
    path, course = at / NOTEBOOK, Course(at)
    nb = read_notebook(path)
    for make in (render.page, render.deck):
        make(course, nb, Lesson.of(path, nb), made_from="")
    build.gather([path])


def _load(name: str) -> Callable[[Path], object]:
    """Loading a set, looked for in a folder alone."""

    def read(folder: Path):
        places = {"CNNLIB_DATA": str(folder), "KERAS_HOME": str(folder / "none")}
        with mock.patch.dict(os.environ, places):
            return datasets.load(name) if name in SETS else datasets.gunpoint()

    return read


@contextmanager
def kinds() -> Iterator[dict[str, Kind]]:
    """All kinds of files, while the sets' checksums are those of the small ones."""
    rng = np.random.default_rng(0)
    shapes = [(3, 28, 28), (3,), (2, 28, 28), (2,)]
    arrays = [rng.integers(0, 10, shape).astype("uint8") for shape in shapes]
    heads = [struct.pack(f">{a.ndim + 1}I", 2048 + a.ndim, *a.shape) for a in arrays]
    parts = (head + a.tobytes() for head, a in zip(heads, arrays, strict=True))
    idx = dict(zip(IDX, parts, strict=True))
    packed = {f"{name}.gz": gzip.compress(part, mtime=0) for name, part in idx.items()}
    digests = {name: _sha(part) for name, part in idx.items()}
    mnist, checked = _load("mnist"), datasets.ChecksumError
    found = {
        "idx": Kind(IDX[0], idx, mnist, checked),
        "idx.gz": Kind(f"{IDX[1]}.gz", packed, mnist, checked),
    }
    keys = ("x_train", "y_train", "x_test", "y_test")
    for how in (np.savez, np.savez_compressed):
        made = io.BytesIO()
        how(made, **dict(zip(keys, arrays, strict=True)))
        whole = {"mnist.npz": made.getvalue()}
        found[how.__name__] = Kind("mnist.npz", whole, mnist, checked)
    layouts = []
    for layout in SETS["cifar10"].cifar:
        files = {}
        for member in layout.members:
            x, y = rng.integers(0, 10, (1, 3072)).astype("uint8"), [3]
            batch = pickle.dumps({b"data": x, b"labels": y})
            binary = np.column_stack([np.uint8(y), x]).tobytes()
            files[member] = batch if layout.kind == "python" else binary
        train, test = (
            {m: _sha(files[m]) for m in p} for p in (layout.train, layout.test)
        )
        layouts.append(layout._replace(train=train, test=test))
        inside = {f"{layout.folder}/{name}": part for name, part in files.items()}
        for archive in layout.archives:
            mode = "w:gz" if archive.endswith(".gz") else "w"
            whole = {archive: _tar(inside, mode)}
            found[archive] = Kind(archive, whole, _load("cifar10"), checked)
        file = next(iter(inside))
        found[layout.folder] = Kind(file, inside, _load("cifar10"), checked)
    series = dict.fromkeys(sequences.GUNPOINT, GUNPOINT)
    found["ts"] = Kind("GunPoint_TRAIN.ts", series, _load("gunpoint"), checked)
    for form, mode in PICTURES:
        file = f"{mode.replace(';', '')}.{form}"
        whole = {file: _picture(form, mode)}
        found[file] = Kind(
            file, whole, lambda at, file=file: datasets.picture(at / file)
        )
    found["notebook"] = Kind(NOTEBOOK, {NOTEBOOK: _notebook()}, _build, CourseError)
    weights = b"".join(pickle.dumps(part) for part in (0, 1001, {}, {}, []))
    found["weights"] = Kind(
        "weights.pth",
        {"weights.pth": weights},
        lambda at: [torch_file.read(at / "weights.pth", _sha(weights))],
        OSError,
    )
    small = {
        "mnist": SETS["mnist"]._replace(idx=digests),
        "cifar10": SETS["cifar10"]._replace(cifar=tuple(layouts)),
    }
    printed = dict.fromkeys(sequences.GUNPOINT, _sha(b"1.5,-2,3:1\n4,5,6:2"))
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(SETS, small))
        stack.enter_context(mock.patch.dict(sequences.GUNPOINT, printed))
        refuse = mock.Mock(side_effect=OSError("no network"))
        stack.enter_context(mock.patch.object(keras.utils, "get_file", refuse))
        yield found


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content after one to four changes of the kinds that files suffer."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(content) + 1)
        # Half of the changes are near the head, where files say how they are read.
        at = min(at, rng.randrange(1, 200)) if rng.random() < 0.5 else at
        end = min(len(content), at + rng.choice((1, 2, 4, 8, 100)))
        kind = rng.randrange(7)
        if kind == 0:
            content = content[:at]
        elif kind == 1:
            content = content[:at] + content[end:]
        elif kind == 2:
            content = content[:at] + content[at:end] * 2 + content[end:]
        elif kind == 3:
            content = content[:at] + rng.randbytes(end - at) + content[end:]
        elif kind == 4:
            content = (
                content[:at]
                + rng.choice(b"\0\xff").to_bytes() * (end - at)
                + content[end:]
            )
        elif kind == 5:
            content = (
                content[:at] + rng.choice((b"9", b"(", b"-", b"\n")) + content[at + 1 :]
            )
        elif at < len(content):
            flipped = bytes([content[at] ^ 1 << rng.randrange(8)])
            content = content[:at] + flipped + content[at + 1 :]
    return content


def fault(kind: Kind, place: Path, truth: object) -> str | None:
    """What is wrong with how a file in ``place`` is read; None if nothing is."""
    try:
        found = kind.read(place)
    except kind.error as error:
        told = str(error)
        if "\n" in told:
            return f"more than a line: {told!r}"
        if isinstance(error.__cause__, MemoryError):
            return f"more memory than there is: {told}"
        path = Path(kind.file)
        named = str(place) in told and path.name in told
        if kind.error is CourseError:
            named = path.stem in told
        return None if named else f"the file is not named: {told}"
    except (Exception, Hang) as error:
        return f"{type(error).__name__}: {error}"
    if kind.error in (datasets.ChecksumError, OSError):
        same = all(map(np.array_equal, found[:4], truth[:4]))
        return None if same else "other numbers, without a word"
    if isinstance(found, np.ndarray) and found.dtype != np.uint8:
        return f"a picture of {found.dtype}"
    return None


def run(count: int, seed: int, folder: Path) -> Iterator[tuple[str, bytes, str | None]]:
    """Damage ``count`` files, of all kinds in turn: kind, content, what was wrong."""
    with kinds() as found:
        truth = {}
        for name, kind in found.items():
            for file, content in kind.whole.items():
                path = folder / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            truth[name] = kind.read(folder / name)
        for i in range(count):
            name = list(found)[i % len(found)]
            kind, path = found[name], folder / name / found[name].file
            whole = kind.whole[kind.file]
            content = damaged(whole, random.Random(f"{seed} {i}"))
            path.write_bytes(content)
            yield name, content, fault(kind, folder / name, truth[name])
            path.write_bytes(whole)


def _ring(*_):
    raise Hang(f"more than {SECONDS} s of processor time")


def main() -> None:
    """Read damaged files, keep those that showed a fault, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (has + MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGPROF, _ring)
    warnings.simplefilter("ignore")  # Pillow warns of what it skips
    faults, planted = (
        collections.defaultdict(collections.Counter),
        collections.Counter(),
    )
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for name, content, wrong in run(given.count, given.seed, Path(folder)):
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            planted[name] += 1
            if wrong:
                faults[name][wrong.replace(folder, "")[:100]] += 1
                KEPT.mkdir(parents=True, exist_ok=True)
                (KEPT / f"{_sha(content)[:12]}-{name}").write_bytes(content)
    signal.setitimer(signal.ITIMER_PROF, 0)
    for name, number in planted.items():
        print(f"{name:24} {number:7} damaged  {faults[name].total():5} faults")
        for wrong, times in faults[name].most_common(5):
            print(f"    {times:5} × {wrong}")


if __name__ == "__main__":
    main()
