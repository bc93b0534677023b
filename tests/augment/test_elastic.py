import numpy as np
import pytest
from moved import array, pictures, twin
from scipy import ndimage

from cnnlib.augment import Elastic, Warp


@pytest.mark.parametrize(("height", "width", "grid"), [(31, 44, 3), (20, 9, 5)])
def test_the_elastic_field_is_scipys_spline(height, width, grid):
    layer = Elastic(10, grid, seed=3)
    drawn = layer.draw(2, height, width)
    vectors = array(drawn[1])
    assert vectors.shape == (2, grid, grid, 2)
    places = [array(p) for p in layer.places(drawn, height, width)]
    for i in range(2):
        for axis in (0, 1):
            expected = ndimage.zoom(
                vectors[i, ..., axis], (height / grid, width / grid), order=3
            )
            field = places[axis][i] - np.mgrid[:height, :width][axis]
            np.testing.assert_allclose(field, expected, atol=1e-3)


def test_elastic_vectors_are_normal_and_independent():
    vectors = array(Elastic(4, seed=0).draw(1500, 9, 9)[1])
    flat = vectors.reshape(1500, -1)
    assert flat.std() == pytest.approx(4, rel=0.02)
    assert abs(flat.mean()) < 0.1
    assert (np.abs(flat) < 4).mean() == pytest.approx(0.683, abs=0.02)
    assert np.abs(np.corrcoef(flat.T) - np.eye(18)).max() < 0.12


def test_elastic_reads_each_pixel_at_its_place_in_the_warp_plus_its_vector():
    settings = {"rotation": 25, "translation": 0.1}
    layer = Elastic(2, **settings, seed=6)
    drawn = twin(layer).draw(2, 16, 18)
    rows, columns = (array(p) for p in layer.places(drawn, 16, 18))
    plain = Warp(**settings).places(drawn[0], 16, 18)
    still = Elastic(2).places(
        (np.float32([[[1, 0, 0], [0, 1, 0]]] * 2), drawn[1]), 16, 18
    )
    bent = [array(p) - grid for p, grid in zip(still, np.mgrid[:16, :18], strict=True)]
    np.testing.assert_allclose(rows, array(plain[0]) + bent[0], atol=1e-4)
    np.testing.assert_allclose(columns, array(plain[1]) + bent[1], atol=1e-4)
    x = pictures(2, 16, 18, 1)
    found = array(layer(x))
    for i in range(2):
        expected = ndimage.map_coordinates(
            x[i, ..., 0], [rows[i], columns[i]], order=1, mode="reflect"
        )
        np.testing.assert_allclose(found[i, ..., 0], expected, atol=1e-4)
