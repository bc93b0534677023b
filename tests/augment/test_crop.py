import numpy as np
from moved import array, pictures

from cnnlib.augment import Crop


def test_crops_are_windows_of_the_padded_image_each_at_its_own_place():
    x = np.repeat(pictures(1, 6, 7, 2), 300, axis=0)
    found = array(Crop((4, 5), padding=2, seed=0, fill_value=0.5)(x))
    assert found.shape == (300, 4, 5, 2)
    padded = np.pad(x[0], ((2, 2), (2, 2), (0, 0)), constant_values=0.5)
    windows = {
        padded[i : i + 4, j : j + 5].tobytes(): (i, j)
        for i in range(7)
        for j in range(7)
    }
    places = [windows[crop.tobytes()] for crop in found]
    assert set(places) == set(np.ndindex(7, 7))  # every place is found, and early
    rows, columns = np.array(places).T
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.15


def test_pad_and_crop_keeps_the_size_and_pads_as_asked():
    x = pictures(50, 6, 6, 1)
    for mode, name in (("constant", "constant"), ("reflect", "symmetric")):
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), name)
        for i, crop in enumerate(array(Crop(padding=1, fill_mode=mode, seed=2)(x))):
            assert crop.shape == (6, 6, 1)
            windows = [
                padded[i, a : a + 6, b : b + 6] for a in range(3) for b in range(3)
            ]
            assert any((crop == window).all() for window in windows)


def test_outside_of_training_a_crop_is_the_middle():
    x = pictures(2, 9, 12, 1)
    found = array(Crop((5, 4), flip="horizontal")(x, training=False))
    np.testing.assert_array_equal(found, x[:, 2:7, 4:8])
