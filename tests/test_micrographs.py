import hashlib

import numpy as np
import pytest
from PIL import Image

from cnnlib import datasets
from cnnlib.datasets import data_folder, micrographs


@pytest.fixture
def stack(tmp_path, monkeypatch):
    """Twelve small slices and their labels, in place of the challenge's."""
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path))
    monkeypatch.setattr(micrographs, "COUNT", 12)
    monkeypatch.setattr(micrographs, "SIDE", 6)
    rng = np.random.default_rng(0)
    parts = {
        "image": rng.integers(0, 256, (12, 6, 6)).astype("uint8"),
        "label": np.full((12, 6, 6), 255, "uint8"),
    }
    parts["label"][:, :, 2] = 127  # of the darker half, like black
    parts["label"][:, :, 4] = 128
    for part, slices in parts.items():
        folder = tmp_path / "isbi2012" / "train" / part
        folder.mkdir(parents=True)
        for i, pixels in enumerate(slices):
            Image.fromarray(pixels).save(folder / f"{i}.png")
        digest = hashlib.sha256(slices.tobytes()).hexdigest()
        monkeypatch.setitem(micrographs.ISBI2012, part, digest)
    return tmp_path / "isbi2012" / "train", parts


def test_slices_are_read_in_the_order_of_their_numbers(stack):
    found = datasets.isbi2012()
    np.testing.assert_array_equal(found.images[..., 0], stack[1]["image"])
    assert found.images.dtype == np.uint8
    assert found.masks.dtype == found.instances.dtype == np.int32
    np.testing.assert_array_equal(found.masks[3, 0], [1, 1, 0, 1, 1, 1])
    np.testing.assert_array_equal(found.instances[3, 0], [1, 1, 0, 2, 2, 2])
    assert found.class_names == ("membrane", "cell")


@pytest.mark.parametrize("part", ["image", "label"])
def test_other_pixels_are_refused(stack, part):
    path = stack[0] / part / "7.png"
    with Image.open(path) as image:
        pixels = np.asarray(image).copy()
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(path)
    with pytest.raises(datasets.ChecksumError, match=f"{part} is not the published"):
        datasets.isbi2012()


def test_a_damaged_slice_is_named(stack):
    path = stack[0] / "image" / "3.png"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"image/3\.png can't be read as an image"):
        datasets.isbi2012()


def test_another_size_is_refused(stack):
    Image.fromarray(np.zeros((6, 7), "uint8")).save(stack[0] / "image" / "2.png")
    with pytest.raises(datasets.ChecksumError, match=r"2\.png .* shape \(6, 7\)"):
        datasets.isbi2012()


def test_a_missing_slice_is_named_with_its_place(stack):
    (stack[0] / "label" / "11.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"11\.png is not in .*label"):
        datasets.isbi2012()


REAL = data_folder() / "isbi2012" / "train"


@pytest.mark.skipif(not REAL.exists(), reason="the real ISBI 2012 stack is not there")
def test_the_real_stack_is_whole():
    data = datasets.isbi2012()
    assert data.images.shape == (30, 512, 512, 1)
    assert data.masks.mean() == pytest.approx(0.78, abs=0.005)
    assert 100 < data.instances[0].max() < 200
