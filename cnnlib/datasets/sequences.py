"""Things that happen in time: drawn series, recorded gestures, digits in motion."""

import numpy as np

from cnnlib import checks
from cnnlib.datasets.catalogue import Dataset
from cnnlib.datasets.downloaded import data_folder, verify
from cnnlib.datasets.embedded import digits28

DIRECTIONS = ("right", "left", "down", "up")
STEPS = ((0, 1), (0, -1), (1, 0), (-1, 0))  # rows and columns, for each direction

# SHA-256 of the values as printed, each line of numbers and label without blanks.
GUNPOINT = {
    "GunPoint_TRAIN.ts": (
        "1c2d34805931c13dd1c89e954362862a5afd25ac76edc94ba612c520bcce956f"
    ),
    "GunPoint_TEST.ts": (
        "4b1e9278f80488067fed9f8705880684fefb0d1b67009a2c9849a62ee75a6ce9"
    ),
}


def cylinder_bell_funnel(
    train: int = 30, test: int = 300, *, length: int = 128, seed: int = 0
) -> Dataset:
    """Saito's three shapes in noise: a plateau, a slow rise, a slow fall.

    At each time t, with a and b the ends of an event (N. Saito, *Local feature
    extraction and its application using a library of bases*, 1994, section 3.5.2)::

        cylinder  (6 + η) χ + ε(t)                      χ is 1 from a to b, else 0
        bell      (6 + η) χ (t − a) / (b − a) + ε(t)
        funnel    (6 + η) χ (b − t) / (b − a) + ε(t)

    η and every ε(t) are standard normal, a is uniform over the integers from 16 to 32,
    b − a over those from 32 to 96, both in proportion for another length.

    ``train`` and ``test`` count the series of each class, of 16 steps or more. The
    arrays are float32 (n, length, 1), the classes in turn.
    """
    who = "cylinder_bell_funnel"
    train = checks.integer(who, "train", train)
    test = checks.integer(who, "test", test)
    length = checks.integer(who, "length", length, least=16)
    rng = checks.rng(who, seed)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        n = 3 * count
        y = np.arange(n, dtype="int32") % 3
        t = np.arange(1, length + 1)
        unit = length / 128
        a = rng.integers(16, 33, (n, 1)) * unit
        width = rng.integers(32, 97, (n, 1)) * unit
        through = (t - a) / width
        shapes = np.stack([np.ones_like(through), through, 1 - through])
        event = (through >= 0) & (through <= 1)
        height = 6 + rng.normal(size=(n, 1))
        x = height * event * shapes[y, np.arange(n)] + rng.normal(size=(n, length))
        return x[..., None].astype("float32"), y

    return Dataset(*draw(train), *draw(test), ("cylinder", "bell", "funnel"))


def moving_digits(
    train: int = 600,
    test: int = 200,
    *,
    frames: int = 6,
    size: int = 20,
    step: int = 2,
    seed: int = 0,
) -> Dataset:
    """Clips of one real handwritten digit that drifts right, left, down or up.

    A digit of ``digits28``, at half its size, starts anywhere and moves by ``step``
    pixels a frame; what leaves the frame comes in on the other side. So a single frame
    shows each digit at each place equally often whatever the direction: it says
    *nothing* about the class, which lies in the order of the frames alone. Training
    clips show training digits, test clips test digits.

    The arrays are uint8 (n, frames, size, size, 1), 0 to 255, of 2 frames or more and
    14 pixels or more; the classes are ``right``, ``left``, ``down``, ``up``, in turn. A
    step is below half the size: beyond it, there is no telling left from right.
    """
    who = "moving_digits"
    train = checks.integer(who, "train", train)
    test = checks.integer(who, "test", test)
    frames = checks.integer(who, "frames", frames, least=2)
    size = checks.integer(who, "size", size, least=14)
    if checks.integer(who, "step", step) >= size / 2:
        raise ValueError(
            f"{who} takes a step below half the size, {size / 2:g}; given {step!r}"
        )
    digits, rng = digits28(), checks.rng(who, seed)

    def draw(count: int, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        small = images[..., 0].reshape(len(images), 14, 2, 14, 2).mean((2, 4))
        y = np.arange(count, dtype="int32") % 4
        x = np.zeros((count, frames, size, size, 1), "uint8")
        for clip, label in zip(x, y, strict=True):
            still = np.zeros((size, size))
            still[:14, :14] = small[rng.integers(len(small))]
            start = rng.integers(0, size, 2)
            for f, frame in enumerate(clip):
                shift = start + f * step * np.array(STEPS[label])
                frame[..., 0] = np.roll(still, shift, (0, 1)).round()
        return x, y

    return Dataset(*draw(train, digits.x_train), *draw(test, digits.x_test), DIRECTIONS)


def gunpoint() -> Dataset:
    """GunPoint of the UCR archive: the height of a hand that draws a gun, or points.

    Ratanamahatana and Keogh, in Dau et al., *The UCR time series archive*,
    arXiv:1810.07758. 50 series to learn from, 150 to test on, of 150 values each. Not
    downloaded: ``GunPoint_TRAIN.ts`` and ``GunPoint_TEST.ts`` are looked for in
    ``data_folder()``, in ``ucr/`` or in ``GunPoint/`` of it. The arrays are float32 (n,
    150, 1).
    """
    parts = [part for name in GUNPOINT for part in _gunpoint_file(name)]
    return Dataset(*parts, ("gun", "point"))


def _gunpoint_file(name: str) -> tuple[np.ndarray, np.ndarray]:
    folder = data_folder()
    places = [folder / within / name for within in ("ucr", "GunPoint", ".")]
    path = next((path for path in places if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{name} is not in {folder}: take GunPoint from "
            f"timeseriesclassification.com and put it into {folder / 'ucr'}"
        )
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [line.strip().replace(" ", "") for line in text.splitlines()]
    rows = [line for line in lines if line and line[0] not in "#@"]
    content = "\n".join(rows).encode()
    verify(str(path), content, GUNPOINT[name])
    series, labels = zip(*(row.split(":") for row in rows), strict=True)
    x = np.array([s.split(",") for s in series], "float32")[..., None]
    return x, np.array(labels, "int32") - 1
