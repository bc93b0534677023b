"""One picture of one's own, as users have them, and as a network is shown it."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cnnlib import checks


def picture(
    path: str | Path, *, value_range: tuple[float, float] | None = None
) -> np.ndarray:
    """A picture from a file, in colour.

    It is turned upright (EXIF); transparent parts become white; of an animation the
    first frame is taken; grey levels of more than 8 bits become 0 to 255, as in
    ``image_folder``.

    Args:
        path: any file that Pillow reads.
        value_range: as in ``image_folder``.

    Returns:
        uint8 of shape (height, width, 3), red, green, blue from 0 to 255.

    Raises:
        FileNotFoundError: there is no such file.
        IsADirectoryError: it is a folder.
        ValueError: the file is no picture, is damaged, or has more than 179 million
            pixels; it is named.
    """
    if value_range is not None:
        value_range = checks.span("picture", "value_range", value_range)
    file = Path(path).expanduser()
    if not file.exists():
        raise FileNotFoundError(f"there is no file {file}")
    if file.is_dir():
        raise IsADirectoryError(f"{file} is a folder; picture takes a file")
    with opened(file) as image:
        return np.asarray(plain(image, value_range).convert("RGB"))


def centre_crop(
    image: np.ndarray, size: int = 224, *, part: float = 224 / 256
) -> np.ndarray:
    """The square in the middle of a picture, as ImageNet's networks are tested on it.

    Its side is ``part`` of the picture's shorter side; it is resized to ``size``
    bicubically, with antialiasing.

    Args:
        image: uint8 of shape (height, width, 3), 0 to 255, any size.
        size: the side returned.
        part: above 0, to 1.

    Returns:
        uint8 of shape (``size``, ``size``, 3).

    Raises:
        ValueError: another shape or type, or an argument out of its range.
    """
    who = "centre_crop"
    image = np.asarray(image)
    size = checks.integer(who, "size", size)
    part = checks.number(who, "part", part, above=0, most=1)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise ValueError(
            f"{who} takes uint8 of shape (height, width, 3); given {image.dtype} of "
            f"{image.shape}"
        )
    height, width = image.shape[:2]
    side = part * min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    bicubic = Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(image).resize((size, size), bicubic, box=box))


@contextmanager
def opened(file: Path) -> Iterator[Image.Image]:
    """The image, its pixels not yet decoded; every error in the block names the file.

    Pillow warns of large images and refuses those of twice that size, 179 million
    pixels; the former are fine here. No chunk is taken to be longer than its file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(Path(file).read_bytes())) as image:
                yield image
    except Exception as error:  # a decoder raises whatever it meets in a damaged file
        told = {UnidentifiedImageError: "Pillow knows no such format"}
        reason = told.get(type(error), str(error)) or type(error).__name__
        raise ValueError(f"{file} can't be read as an image: {reason}") from error


def plain(image: Image.Image, value_range=None) -> Image.Image:
    """The image upright, opaque and of 8 bits, in whatever mode it then has."""
    source, image = image, ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _eight_bits(image, source, value_range)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image


BITS, PHOTOMETRIC = 258, 262  # TIFF's tags; photometric 0: the least value is white


def _eight_bits(image: Image.Image, source: Image.Image, value_range) -> Image.Image:
    """Grey levels of more than 8 bits as 0 to 255, by what the ``source`` says."""
    tags = getattr(source, "tag_v2", {})
    levels, negative = np.asarray(image), tags.get(PHOTOMETRIC) == 0
    if value_range is None and image.mode.startswith("I;16"):
        value_range = 0, 2 ** tags.get(BITS, (16,))[0] - 1
    elif value_range is None and source.format == "PPM":
        value_range = 0, 65535  # to which Pillow scales from what the file states
    elif value_range is None:
        raise ValueError(
            f"its pixels (mode {image.mode}) have no known range: give value_range"
        )
    black, white = value_range
    grey = (levels.astype("float64") - black) * (255 / (white - black))
    grey = np.floor(grey.clip(0, 255) + 1e-9).astype(np.uint8)
    grey = 255 - grey if negative else grey
    clear = source.info.get("transparency")
    if isinstance(clear, int):  # one level is transparent, and becomes white
        grey[levels == clear] = 255
    return Image.fromarray(grey)
