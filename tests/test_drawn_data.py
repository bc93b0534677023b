import numpy as np
import pytest
from scipy import ndimage

from cnnlib import datasets
from cnnlib.datasets import membranes

DRAWN = membranes(3, (90, 120), seed=1)


def test_membranes_have_their_shapes_types_and_classes():
    images, masks, instances, names = DRAWN
    assert images.shape == (3, 90, 120, 1)
    assert masks.shape == instances.shape == (3, 90, 120)
    assert (images.dtype, masks.dtype, instances.dtype) == ("uint8", "int32", "int32")
    assert names == ("membrane", "cell")
    assert isinstance(DRAWN, datasets.Membranes)
    for size in (1, 7, (5, 33)):
        sides = (size, size) if isinstance(size, int) else size
        assert membranes(1, size).images.shape == (1, *sides, 1)


def test_masks_are_where_the_instances_are():
    np.testing.assert_array_equal(DRAWN.masks, (DRAWN.instances > 0).astype(int))
    assert 0.7 < DRAWN.masks.mean() < 0.85  # as in real micrographs of this kind


def test_every_cell_is_one_piece_with_membrane_all_around():
    for labels in DRAWN.instances:
        pieces, count = ndimage.label(labels > 0)
        assert labels.max() == count > 15
        sizes = np.bincount(labels.ravel())[1:]
        assert sizes.min() >= 12
        assert 250 < np.median(sizes) < 700  # of cells some 26 pixels apart
        # One number per piece, and the other way around.
        pairs = set(zip(labels.ravel().tolist(), pieces.ravel().tolist(), strict=True))
        assert len(pairs) == count + 1


def test_membranes_are_dark_lines_of_varying_width():
    smooth = ndimage.gaussian_filter(DRAWN.images[..., 0].astype(float), (0, 1, 1))
    cell = DRAWN.masks == 1
    assert smooth[cell].mean() - smooth[~cell].mean() > 25
    # Yet grey values alone do not tell them: some cells are as dark as membranes.
    assert (smooth[cell] < np.median(smooth[~cell])).mean() > 0.03
    ridges = [ndimage.distance_transform_edt(mask == 0) for mask in DRAWN.masks]
    tops = [r[(ndimage.maximum_filter(r, 5) == r) & (r > 0)] for r in ridges]
    assert np.concatenate(tops).std() > 0.65  # of one width, 0.55: where three meet


def test_images_have_grain_and_noise():
    image = DRAWN.images[0, ..., 0].astype(float)
    rough = image - ndimage.gaussian_filter(image, 2)
    assert 10 < rough[DRAWN.masks[0] == 1].std() < 40
    assert 90 < image.mean() < 180


def test_an_image_depends_on_seed_and_place_not_on_the_count():
    again = membranes(2, (90, 120), seed=1)
    for part, whole in zip(again[:3], DRAWN[:3], strict=True):
        np.testing.assert_array_equal(part, whole[:2])
    other = membranes(2, (90, 120), seed=2)
    assert (other.masks != again.masks).any()
    assert (again.images[0] != again.images[1]).mean() > 0.9


def test_a_seed_draws_what_it_always_drew():
    """What notebooks store was trained on these images."""
    grey = DRAWN.images[2, 7::15, 7::15, 0].astype(int)
    drawn = [
        [108, 153, 127, 172, 151, 120, 89, 71],
        [176, 112, 186, 198, 99, 158, 173, 169],
        [181, 158, 158, 97, 195, 108, 172, 159],
        [139, 178, 169, 187, 193, 197, 181, 156],
        [124, 67, 86, 150, 161, 170, 196, 173],
        [155, 142, 139, 181, 167, 191, 165, 203],
    ]
    assert np.abs(grey - drawn).max() <= 1  # rounding may differ
    assert DRAWN.instances.max((1, 2)).tolist() == [23, 24, 22]
    assert np.abs(DRAWN.masks.sum((1, 2)) - [8354, 7850, 8342]).max() <= 2


def test_larger_cells_are_fewer():
    counts = [membranes(1, 96, cell=cell).instances.max() for cell in (16, 32)]
    assert counts[0] > 2.5 * counts[1]


@pytest.mark.parametrize(
    "settings",
    [
        {"count": 0},
        {"count": 1.5},
        {"count": 1, "size": 0},
        {"count": 1, "size": (8, 8, 1)},
        {"count": 1, "size": 8.5},
        {"count": 1, "cell": 4},
        {"count": 1, "cell": float("nan")},
    ],
)
def test_impossible_membranes_are_refused(settings):
    with pytest.raises(ValueError, match="membranes takes"):
        membranes(**settings)
