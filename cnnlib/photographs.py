"""``python -m cnnlib classify`` and ``fool``: one's own pictures, seen by a network."""

import functools
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import matplotlib
import numpy as np
import scipy.special
from matplotlib.backend_bases import FigureCanvasBase
from PIL import Image

from cnnlib import checks, datasets, explain, files, fooling, models, plots
from cnnlib.datasets.folder import SYSTEM_FILES

NETWORK = "efficientnet_lite0"
# How far ahead the target's logit has to be to stay there when rounded to 8 bits.
LEADS = (5, 10, 20)
MAGNIFIED = 10


class Reader:
    """A network that names pictures: ImageNet's, or that of a training run."""

    def __init__(self, run: str | None = None):
        if run is None:
            self.model = models.efficientnet_lite0(weights="imagenet")
            self.names, self.part = models.imagenet_names(), 224 / 256
            self.inputs = functools.partial(models.preprocess, NETWORK)
            return
        told, saved = Path(run, "run.json"), Path(run, "model.keras")
        if not (told.is_file() and saved.is_file()):
            raise ValueError(f"{run} holds no training run that has come to its end")
        try:
            self.names = json.loads(told.read_text())["classes"]
            self.model = keras.models.load_model(saved, compile=False)
        except Exception as error:  # a loader raises whatever it meets in a bad file
            reason = str(error).partition("\n")[0]
            raise ValueError(f"the run in {run} can't be read: {reason}") from error
        self.part, self.inputs = 1, np.asarray

    def crop(self, picture: np.ndarray) -> np.ndarray:
        """The middle of a picture, uint8, as the network is shown it."""
        _, side, _, channels = self.model.input_shape
        crop = datasets.centre_crop(picture, side, part=self.part)
        if channels == 1:
            return np.asarray(Image.fromarray(crop).convert("L"))[..., None]
        return crop

    def ranking(self, crop: np.ndarray, top: int) -> list[tuple[str, float]]:
        """The ``top`` likeliest classes and their probabilities."""
        [logits] = self.model.predict(self.inputs(crop[None]), verbose=0)
        odds = scipy.special.softmax(logits)
        return [(self.names[k], odds[k]) for k in np.argsort(-odds)[:top]]


def classify(
    paths: Sequence[str],
    top: int | None = None,
    explained: str | None = None,
    run: str | None = None,
) -> int:
    """Print the likeliest classes of each picture; 1 where one could not be read.

    A folder stands for the files in it; ``top`` is 5, or as many classes as there are,
    where it is None. ``explained`` is a file to draw the pictures into, each with where
    its likeliest class is seen; ``run`` the folder of a training run, whose network is
    asked in place of ImageNet's.

    Raises:
        ValueError: there is no picture, no such run, or not as many classes as
            ``top``.
        OSError: the weights are missing, or ``explained`` can't be written.
    """
    files = list(_files(paths))
    if not files:
        raise ValueError(f"there are no pictures in {', '.join(paths)}")
    if explained is not None:
        kinds = FigureCanvasBase.get_supported_filetypes()
        if Path(explained).suffix[1:].lower() not in kinds:
            raise ValueError(f"pictures are {', '.join(kinds)}; given {explained}")
        if Path(explained).resolve() in [Path(file).resolve() for file in files]:
            raise ValueError(f"{explained} is a picture itself: name another file")
        _writable(Path(explained).parent)
    if top is not None:
        checks.integer("classify", "top", top)
    reader = Reader(run)
    top = min(5, len(reader.names)) if top is None else top
    checks.number("classify", "top", top, most=len(reader.names))
    crops, titles, unread = [], [], 0
    for file in files:
        try:
            crop = reader.crop(datasets.picture(file))
        except (OSError, ValueError) as error:
            print(f"error: {error}", file=sys.stderr)
            unread += 1
            continue
        ranking = reader.ranking(crop, top)
        print(file)
        for name, odds in ranking:
            bar = "█" * round(20 * odds)
            print(f"  {odds:6.1%}  {bar:20}  {name}")
        crops.append(crop)
        name = os.fsencode(Path(file).name).decode(errors="replace")
        titles.append(f"{name}\n{ranking[0][0]}, {ranking[0][1]:.0%}")
    if explained is not None and crops:
        _draw(reader, np.stack(crops), titles, explained)
    return 1 if unread else 0


def fool(path: str, target: str, out: str) -> int:
    """Change a picture by a little until the network takes it for ``target``.

    Three PNGs are written into the folder ``out``: the picture as the network sees it,
    ten times the change around grey, and their sum. The sum was read back, and is
    still ``target``.

    Raises:
        ValueError: no such class, no picture, or one that is taken for it already.
        OSError: the weights are missing, or ``out`` can't be written.
    """
    label = models.imagenet_class(target)
    before = datasets.centre_crop(datasets.picture(path))
    folder = Path(out)
    _writable(folder)
    reader = Reader()
    x = reader.inputs(before[None])
    logits = reader.model.predict(x, verbose=0)
    if logits[0].argmax() == label:
        raise ValueError(f"{path} is taken for {target} already")
    print(f"before: {_told(logits)}")
    given = reader.model, x, int(logits[0].argmax()), label
    options = {"searches": 2, "rounds": 8, "bounds": models.input_bounds(NETWORK)}
    with files.part(folder / "pictures") as part:
        part.mkdir()
        for lead in LEADS:
            found = fooling.lbfgs(*given, lead=lead, **options)
            written = part / "sum.png"
            Image.fromarray(models.to_pixels(NETWORK, found[0])).save(written)
            after = datasets.picture(written)
            logits = reader.model.predict(reader.inputs(after[None]), verbose=0)
            if logits[0].argmax() == label:
                break
        else:
            print(f"error: {path} could not be turned into {target}", file=sys.stderr)
            return 1
        change = after.astype(int) - before
        grey = (128 + MAGNIFIED * change).clip(0, 255).astype("uint8")
        Image.fromarray(before).save(part / "picture.png")
        Image.fromarray(grey).save(part / "change_x10.png")
        for file in sorted(part.iterdir()):
            place = folder / f"{Path(path).stem}_{file.name}"
            os.replace(file, place)
            print(place)
    size = np.sqrt(np.mean((change / 255) ** 2))
    print(f"after:  {_told(logits)}, read back from 8 bits")
    print(f"change: {size:.2%} of the range, at most {abs(change).max()} of 255")
    return 0


def _files(paths: Sequence[str]) -> Iterator[str]:
    """The files that are named, and those in folders, in sorted order."""
    for path in paths:
        if Path(path).is_dir():
            inside = (p for p in Path(path).iterdir() if not p.name.startswith("."))
            inside = (p for p in inside if p.name not in SYSTEM_FILES)
            yield from (str(p) for p in sorted(inside) if not p.is_dir())
        else:
            yield path


def _told(logits: np.ndarray) -> str:
    [[(name, odds)]] = models.decode(logits, 1)
    return f"{name}, {odds:.1%}"


def _writable(folder: Path) -> None:
    """Make the folder, if need be, and see that a file can be made in it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


@matplotlib.rc_context({"text.parse_math": False})  # a file may be called Ba$$in
def _draw(reader, crops: np.ndarray, titles: Sequence[str], file: str) -> None:
    maps = explain.grad_cam(reader.model, reader.inputs(crops))
    alt = "Pictures, each with where its likeliest class is seen"
    columns = min(4, len(crops))
    drawn = plots.overlay(crops, maps, titles, alt=alt, columns=columns)
    with files.written(Path(file)) as part:
        drawn.savefig(part)
