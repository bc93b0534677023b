"""One picture from a file, however it was saved, and its centre."""

import tracemalloc
import warnings

import numpy as np
import pytest
from PIL import Image

from cnnlib import datasets

RED, WHITE = (255, 0, 0), (255, 255, 255)


@pytest.fixture
def upright():
    """Left half red, right half blue, green at the top right."""
    image = np.zeros((4, 8, 3), "uint8")
    image[:, :4, 0] = image[:, 4:, 2] = 255
    image[0, 7] = (0, 255, 0)
    return image


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda x: x),
        (2, lambda x: x[:, ::-1]),
        (3, lambda x: x[::-1, ::-1]),
        (6, lambda x: np.rot90(x, 1)),
        (8, lambda x: np.rot90(x, -1)),
    ],
)
def test_a_picture_is_turned_upright(tmp_path, upright, orientation, turned):
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / "a.png"
    Image.fromarray(np.ascontiguousarray(turned(upright))).save(path, exif=exif)
    np.testing.assert_array_equal(datasets.picture(path), upright)


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("L", 100, (100, 100, 100)),
        ("1", 1, WHITE),
        ("RGBA", (*RED, 255), RED),
        ("RGBA", (*RED, 0), WHITE),
        ("LA", (0, 0), WHITE),
        ("CMYK", (0, 255, 255, 0), RED),
        ("I;16", 257 * 100, (100, 100, 100)),
    ],
)
def test_every_mode_becomes_8_bit_colour(tmp_path, mode, color, expected):
    path = tmp_path / "a.tif"
    Image.new(mode, (3, 2), color).save(path)
    found = datasets.picture(str(path))
    assert found.dtype == np.uint8
    assert found.shape == (2, 3, 3)
    assert (found == expected).all()


def test_palettes_and_the_first_frame(tmp_path):
    first, second = (Image.new("RGB", (3, 2), color) for color in (RED, WHITE))
    path = tmp_path / "a.gif"
    first.save(path, save_all=True, append_images=[second])
    assert (datasets.picture(path) == RED).all()
    first.convert("P").save(tmp_path / "a.png")
    assert (datasets.picture(tmp_path / "a.png") == RED).all()


def test_a_range_of_ones_own(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[0, 2048, 4096]], "uint16")).save(path)
    found = datasets.picture(path, value_range=(0, 4096))[0, :, 0]
    np.testing.assert_array_equal(found, [0, 127, 255])
    with pytest.raises(ValueError, match=r"picture takes value_range=\(low, high\)"):
        datasets.picture(path, value_range=(1, 0))


def test_what_is_no_picture_is_named(tmp_path):
    text, short = tmp_path / "text.jpg", tmp_path / "short.png"
    text.write_text("no picture")
    Image.effect_noise((50, 50), 50).save(short)
    short.write_bytes(short.read_bytes()[:1000])
    for path, reason in ((text, "no such format"), (short, "truncated")):
        with pytest.raises(ValueError, match=f"{path.name} can't be read.*{reason}"):
            datasets.picture(path)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*gone\.jpg"):
        datasets.picture(tmp_path / "gone.jpg")
    with pytest.raises(IsADirectoryError, match="is a folder; picture takes a file"):
        datasets.picture(tmp_path)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (96, 64), (65, 65)])
def test_the_centre_is_seven_eighths_of_the_shorter_side(height, width):
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows, columns, 0 * rows], -1).astype("uint8")
    side = min(height, width) * 7 // 8
    found = datasets.centre_crop(image, side)
    assert found.shape == (side, side, 3)
    middle = (side // 2, side // 2)
    assert found[middle][0] == pytest.approx(height / 2, abs=1)
    assert found[middle][1] == pytest.approx(width / 2, abs=1)
    assert found[0, 0, 0] == pytest.approx((height - side) / 2, abs=1)
    assert found[-1, -1, 1] == pytest.approx((width + side) / 2 - 1, abs=1)


def test_the_crop_is_resized_with_antialiasing():
    checks = np.indices((256, 256)).sum(axis=0) % 2 * np.uint8(255)
    image = np.repeat(checks[..., None], 3, axis=-1).astype("uint8")
    found = datasets.centre_crop(image, 56)
    assert abs(found.astype(int) - 127).max() < 12
    whole = datasets.centre_crop(image, 256, part=1)
    np.testing.assert_array_equal(whole, image)
    assert datasets.centre_crop(image[:1, :1]).shape == (224, 224, 3)


@pytest.mark.parametrize(
    ("shape", "kind", "options", "message"),
    [
        ((4, 4), "uint8", {}, r"given uint8 of \(4, 4\)"),
        ((4, 4, 1), "uint8", {}, r"given uint8 of \(4, 4, 1\)"),
        ((4, 4, 3), "float32", {}, "given float32"),
        ((4, 4, 3), "uint8", {"size": 0}, "takes size=1 or more"),
        ((4, 4, 3), "uint8", {"part": 1.5}, "takes part above 0 to 1; given 1.5"),
    ],
)
def test_crops_of_what_is_no_picture_are_refused(shape, kind, options, message):
    with pytest.raises(ValueError, match=message):
        datasets.centre_crop(np.zeros(shape, kind), **options)


def test_the_crop_is_enlarged_bicubically():
    """Beside a bright pixel the spline swings below the grey; linear weights do not."""
    image = np.full((15, 15, 3), 100, "uint8")
    image[7, 7] = 200
    found = datasets.centre_crop(image, 60, part=1).astype(int)
    assert found.max() > 150
    assert 80 < found.min() < 97


def test_a_large_picture_is_read_without_a_warning(tmp_path, monkeypatch):
    Image.new("RGB", (5, 3)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert datasets.picture(tmp_path / "a.png").shape == (3, 5, 3)
    assert not told
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 7)  # twice that is too many
    with pytest.raises(ValueError, match=r"a\.png can't be read as an image"):
        datasets.picture(tmp_path / "a.png")


def test_no_more_memory_is_asked_for_than_a_file_could_fill(tmp_path):
    """What it states of itself may be anything: here 2 GB of pixels in 100 bytes."""
    path = tmp_path / "a.png"
    Image.new("L", (4, 4)).save(path)
    content = path.read_bytes()
    at = content.index(b"IDAT") - 4
    path.write_bytes(content[:at] + b"\x7f\xff\xff\xff" + content[at + 4 :])
    tracemalloc.start()
    try:
        datasets.picture(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100e6
