"""One's own images: a folder with a folder for each class."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cnnlib import checks
from cnnlib.datasets.catalogue import Dataset
from cnnlib.datasets.pictures import opened, plain

LAYOUTS = "<class>/<image>, or train/<class>/<image> and test/<class>/<image>"
SYSTEM_FILES = ("Thumbs.db", "desktop.ini", "__MACOSX")  # hidden where they are made


def image_folder(
    path: str | Path,
    *,
    size: int | tuple[int, int],
    split: float = 0.2,
    seed: int = 0,
    channels: int = 3,
    value_range: tuple[float, float] | None = None,
) -> Dataset:
    """Load one's own images, named by the folders they lie in.

    The folder holds either ``<class>/<image>``, which is split here, or
    ``train/<class>/<image>`` and ``test/<class>/<image>``, which is taken as it is.
    Everything in a class folder has to be an image that Pillow reads, whatever it is
    called; hidden files are passed over, and so are files beside the class folders.

    Of n images of a class, ``split`` × n (rounded, at least one, never all) become test
    images; a hash of the seed and of the names of class and file settles which, the
    same on every machine. Each image is turned upright (EXIF), cut to the largest
    central part that has the shape of ``size``, and resized bilinearly with
    antialiasing. Transparent parts become white; of an animation the first frame is
    taken. Grey levels of more than 8 bits become 0 to 255: from 0 to what their format
    states (4,095 in a TIFF of 12 bits), or from ``value_range``.

    Everything is checked before the first image is decoded.

    Args:
        path: the folder.
        size: of the images returned: one side, or height and width.
        split: the part of each class for testing, from 0 to below 1; not used where
            there are ``train`` and ``test``.
        seed: of the split, a whole number from 0.
        channels: 3 for colour, 1 for grey (the luma of ITU-R 601).
        value_range: (black, white) of grey levels of more than 8 bits, such as (0,
            4095) where a microscope of 12 bits writes files of 16; what lies beyond
            is cut off. None for the format's own range.

    Returns:
        A ``Dataset`` with class names in sorted order (� for what is no letter). Images
        come class by class, sorted by name: shuffle them before taking a part (``fit``
        does).

    Raises:
        NotADirectoryError: ``path`` is a file.
        ValueError: a folder of another layout, a class with too few images, a link out
            of ``path``, a file that is no image.
    """
    who = "image_folder"
    height, width = checks.pair(who, "size", size)
    split = checks.number(who, "split", split, least=0, below=1)
    seed = checks.integer(who, "seed", seed, least=0)
    checks.choice(who, "channels", channels, (1, 3))
    if value_range is not None:
        value_range = checks.span(who, "value_range", value_range)
    root = Path(path).expanduser()
    if not root.exists():
        raise FileNotFoundError(f"there is no folder {root}")
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is a file; image_folder takes a folder")

    train, test = _parts(root, split, seed)
    for file in (f for part in (train, test) for files in part.values() for f in files):
        with opened(file):
            pass  # reads the header only: quick, and finds most of what is no image
    how = tuple(train), (height, width, channels), value_range
    names = (os.fsencode(name).decode(errors="replace") for name in train)
    return Dataset(*_load(train, *how), *_load(test, *how), tuple(names))


Part = dict[str, list[Path]]  # class: its files


def _parts(root: Path, split: float, seed: int) -> tuple[Part, Part]:
    """The files of the training and of the test set."""
    folders = _folders(root, root)
    if not {"train", "test"} <= set(folders):
        return _split(_classes(root, root), split, seed)
    if others := sorted(set(folders) - {"train", "test"}):
        raise ValueError(
            f"{root} has train and test, and beside them {', '.join(others)}: it may "
            f"hold {LAYOUTS}"
        )
    train, test = (_classes(root, folders[part]) for part in ("train", "test"))
    if unknown := sorted(set(test) - set(train)):
        raise ValueError(
            f"{root / 'test'} has classes that {root / 'train'} has not: "
            f"{', '.join(unknown)}"
        )
    return train, test


def _split(classes: Part, split: float, seed: int) -> tuple[Part, Part]:
    train, test = {}, {}
    for name, files in classes.items():
        n = min(max(1, round(split * len(files))), len(files) - 1) if split else 0
        if split and not n:
            raise ValueError(
                f"class {name!r} has one image, {files[0]}, and can't be split into "
                "training and test; add one, or give split=0"
            )
        chosen = sorted(files, key=lambda f, name=name: _lot(seed, name, f.name))[:n]
        train[name] = sorted(set(files) - set(chosen))
        test[name] = sorted(chosen)
    return train, test


def _lot(seed: int, *names: str) -> bytes:
    """A number as good as random that is the same on every machine."""
    return hashlib.sha256(os.fsencode("/".join((str(seed), *names)))).digest()


def _classes(root: Path, folder: Path) -> Part:
    """Each class of ``folder`` with its files, both in sorted order."""
    folders = _folders(root, folder)
    if not folders:
        raise ValueError(f"{folder} has no class folders: it may hold {LAYOUTS}")
    classes = {}
    for name, place in sorted(folders.items()):
        files = sorted(_visible(root, place))
        if odd := next((f for f in files if not f.is_file()), None):
            what = "a folder" if odd.is_dir() else "no file, but lies"
            raise ValueError(
                f"{odd} is {what} in a class folder: {root} may hold {LAYOUTS}"
            )
        if not files:
            raise ValueError(f"class {name!r} has no images: {place} is empty")
        classes[name] = files
    return classes


def _folders(root: Path, folder: Path) -> dict[str, Path]:
    return {p.name: p for p in _visible(root, folder) if p.is_dir()}


def _visible(root: Path, folder: Path) -> Iterator[Path]:
    """What is in ``folder`` and not hidden; a link may not lead out of ``root``."""
    for entry in folder.iterdir():
        if entry.name.startswith(".") or entry.name in SYSTEM_FILES:
            continue
        # Unlike Path.resolve, realpath bears a loop of links.
        real = Path(os.path.realpath(entry))
        if entry.is_symlink() and not real.is_relative_to(os.path.realpath(root)):
            raise ValueError(f"{entry} is a link that leads out of {root}; copy it in")
        yield entry


def _load(
    part: Mapping[str, Sequence[Path]],
    names: Sequence[str],
    shape: tuple,
    value_range: tuple | None,
) -> tuple[np.ndarray, np.ndarray]:
    labelled = [(k, f) for k, name in enumerate(names) for f in part.get(name, ())]
    x = np.empty((len(labelled), *shape), np.uint8)
    for place, (_, file) in zip(x, labelled, strict=True):
        place[:] = _read(file, shape, value_range)
    return x, np.array([k for k, _ in labelled], np.int32)


def _read(file: Path, shape: tuple[int, int, int], value_range) -> np.ndarray:
    height, width, channels = shape
    with opened(file) as image:
        image = plain(image, value_range).convert("L" if channels == 1 else "RGB")
        fitted = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
        return np.asarray(fitted).reshape(shape)
