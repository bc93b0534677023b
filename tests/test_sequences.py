import hashlib
import itertools

import numpy as np
import pytest

from cnnlib import datasets
from cnnlib.datasets import data_folder, sequences
from cnnlib.datasets.embedded import digits28


def test_the_three_shapes_are_saitos():
    """The mean over many of a class is the shape, averaged over its ends."""
    x_train, y_train, *_ = datasets.cylinder_bell_funnel(2000, 1, seed=3)
    assert x_train.shape == (6000, 128, 1)
    assert x_train.dtype == np.float32
    mean = [x_train[y_train == k, :, 0].mean(axis=0) for k in range(3)]
    t, a, w = np.ogrid[1:129, 16:33, 32:97]
    through = (t - a) / w
    event = (through >= 0) & (through <= 1)
    shapes = np.ones(event.shape), through, 1 - through
    for found, shape in zip(mean, shapes, strict=True):
        expected = 6 * (event * shape).mean(axis=(1, 2))
        np.testing.assert_allclose(found, expected, atol=0.3)


def test_heights_and_noise_vary_as_stated():
    x, y, *_ = datasets.cylinder_bell_funnel(3000, 1, seed=4)
    before = x[:, :15]  # nothing begins before 16
    assert before.std() == pytest.approx(1, abs=0.02)
    assert before.mean() == pytest.approx(0, abs=0.02)
    plateau = x[y == 0, 33:47].mean(axis=1)  # all cylinders are up from 32 to 48
    assert plateau.mean() == pytest.approx(6, abs=0.1)
    assert plateau.std() == pytest.approx((1 + 1 / 14) ** 0.5, abs=0.05)


def test_series_are_balanced_seeded_and_of_any_length():
    one = datasets.cylinder_bell_funnel(4, 5, length=60, seed=1)
    assert one.x_train.shape == (12, 60, 1)
    assert one.x_test.shape == (15, 60, 1)
    assert np.bincount(one.y_train).tolist() == [4, 4, 4]
    assert one.class_names == ("cylinder", "bell", "funnel")
    again = datasets.cylinder_bell_funnel(4, 5, length=60, seed=1)
    other = datasets.cylinder_bell_funnel(4, 5, length=60, seed=2)
    np.testing.assert_array_equal(one.x_test, again.x_test)
    assert not np.array_equal(one.x_test, other.x_test)
    assert not np.array_equal(one.x_train[:12], one.x_test[:12])


def test_a_seed_draws_the_series_it_always_drew():
    """What notebooks store was trained on these."""
    data = datasets.cylinder_bell_funnel()
    assert data.x_train.shape == (90, 128, 1)
    assert data.x_test.shape == (900, 128, 1)
    assert data.y_train.dtype == data.y_test.dtype == "int32"
    drawn = [
        [4.38, 2.14, 4.41, -1.29, -1.26],
        [1.10, 3.15, 3.78, 5.36, -1.14],
        [3.89, 2.54, 1.30, 0.81, -1.25],
    ]
    np.testing.assert_allclose(data.x_train[:3, 40::20, 0], drawn, atol=0.006)


@pytest.mark.parametrize("options", [{"train": 0}, {"test": 0}, {"length": 15}])
def test_no_series_are_refused(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}="):
        datasets.cylinder_bell_funnel(**options)


def test_digits_move_by_the_step_in_their_direction():
    clips = datasets.moving_digits(8, 4, frames=4, size=18, step=3, seed=2)
    assert clips.x_train.shape == (8, 4, 18, 18, 1)
    assert (clips.x_train.dtype, clips.y_train.dtype) == ("uint8", "int32")
    assert clips.class_names == ("right", "left", "down", "up")
    assert clips.y_train.tolist() == [0, 1, 2, 3] * 2
    moves = {0: (0, 3), 1: (0, -3), 2: (3, 0), 3: (-3, 0)}
    for clip, label in zip(clips.x_train, clips.y_train, strict=True):
        for before, after in itertools.pairwise(clip):
            np.testing.assert_array_equal(np.roll(before, moves[label], (0, 1)), after)


def test_a_frame_says_nothing_about_the_direction():
    """Each digit at each place is equally likely in every frame of every class."""
    clips = datasets.moving_digits(8000, 1, frames=3, size=14, step=5, seed=5)
    for frame in (0, 2):
        maps = [clips.x_train[clips.y_train == k, frame].mean(0) for k in range(4)]
        assert np.ptp(maps) < 0.2 * np.mean(maps)


def test_training_and_test_clips_show_digits_of_their_own():
    clips = datasets.moving_digits(40, 40, frames=2, size=14, seed=6)
    digits = digits28()

    def sums(images):
        small = images[..., 0].reshape(-1, 14, 2, 14, 2).mean((2, 4)).round()
        return set(small.sum((1, 2)).tolist())

    for x, own in ((clips.x_train, digits.x_train), (clips.x_test, digits.x_test)):
        assert set(x[:, 0].astype(float).sum((1, 2, 3)).tolist()) <= sums(own)


def test_clips_are_seeded():
    one, again, other = (datasets.moving_digits(8, 8, seed=s).x_test for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    "options",
    [{"train": 0}, {"test": 0}, {"frames": 1}, {"size": 13}, {"step": 0}, {"step": 10}],
)
def test_impossible_clips_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"moving_digits takes .*{name}.*{value}$"):
        datasets.moving_digits(**options)


def test_sizes_may_be_numpys():
    three, twenty = np.array([3, 20])
    clips = datasets.moving_digits(three, three, frames=three, size=twenty)
    assert clips.x_train.shape == (3, 3, 20, 20, 1)
    series = datasets.cylinder_bell_funnel(three, three, length=twenty)
    assert series.x_test.shape == (9, 20, 1)
    assert datasets.membranes(three, twenty).images.shape == (3, 20, 20, 1)


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A small archive in GunPoint's form, in place of the real one."""
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path))
    (tmp_path / "ucr").mkdir()
    for name, digest in {
        "GunPoint_TRAIN.ts": "a35c",
        "GunPoint_TEST.ts": "9b1f",
    }.items():
        text = "#told\n@data\n1.5,-2,3:1\n 4, 5,6:2\n"
        (tmp_path / "ucr" / name).write_text(text)
        monkeypatch.setitem(sequences.GUNPOINT, name, digest)
    return tmp_path


def accept(monkeypatch):
    digest = hashlib.sha256(b"1.5,-2,3:1\n4,5,6:2").hexdigest()
    for name in sequences.GUNPOINT:
        monkeypatch.setitem(sequences.GUNPOINT, name, digest)


def test_gunpoints_files_are_read(archive, monkeypatch):
    accept(monkeypatch)
    data = datasets.gunpoint()
    np.testing.assert_array_equal(data.x_train[..., 0], [[1.5, -2, 3], [4, 5, 6]])
    assert data.x_test.shape == (2, 3, 1)
    assert data.y_test.tolist() == [0, 1]
    assert data.y_test.dtype == np.int32
    assert data.x_train.dtype == np.float32


def test_other_content_is_refused(archive):
    with pytest.raises(datasets.ChecksumError, match=r"TRAIN\.ts is not the published"):
        datasets.gunpoint()


def test_a_missing_file_is_named_with_its_place(archive):
    (archive / "ucr/GunPoint_TRAIN.ts").unlink()
    with pytest.raises(FileNotFoundError, match=r"GunPoint_TRAIN\.ts is not in .*ucr"):
        datasets.gunpoint()


GUNPOINT = data_folder() / "ucr" / "GunPoint_TRAIN.ts"


@pytest.mark.skipif(not GUNPOINT.exists(), reason="the real GunPoint is not there")
def test_the_real_gunpoint_is_whole():
    data = datasets.gunpoint()
    assert data.x_train.shape == (50, 150, 1)
    assert data.x_test.shape == (150, 150, 1)
    assert np.bincount(data.y_train).tolist() == [24, 26]
    assert np.bincount(data.y_test).tolist() == [76, 74]


def test_events_begin_and_last_as_long_as_saito_has_it():
    """Of cylinders, which stand 6 high, seen in their places and lengths."""
    data = datasets.cylinder_bell_funnel(train=2000, test=1, seed=3)
    x = data.x_train[data.y_train == 0][..., 0]
    # A step up or down is seen best in the difference of means over six places.
    sums = np.cumsum(np.pad(x, [(0, 0), (1, 0)]), axis=1)
    means = (sums[:, 6:] - sums[:, :-6]) / 6
    rise = (means[:, 6:] - means[:, :-6]).argmax(axis=1) + 6
    fall = (means[:, 6:] - means[:, :-6]).argmin(axis=1) + 6
    clear = (fall > rise) & (fall < 122)
    # It begins at 16 to 32, counted from 1, and is seen at 33 to 97 places.
    low, high = np.percentile(rise[clear] + 1, (2, 98))
    assert low == pytest.approx(16, abs=1)
    assert high == pytest.approx(32, abs=1)
    low, high = np.percentile((fall - rise)[clear], (1, 99))
    assert low == pytest.approx(33, abs=1.5)
    assert high == pytest.approx(96, abs=2.5)


def test_by_default_clips_are_those_of_the_notebook():
    clips = datasets.moving_digits()
    assert clips.x_train.shape == (600, 6, 20, 20, 1)
    assert clips.x_test.shape == (200, 6, 20, 20, 1)
    np.testing.assert_array_equal(
        np.roll(clips.x_train[0, 0], 2, axis=1), clips.x_train[0, 1]
    )
    again = datasets.moving_digits(2, 1, seed=0)
    np.testing.assert_array_equal(again.x_train, clips.x_train[:2])


@pytest.mark.parametrize("place", ["GunPoint", "."])
def test_gunpoint_is_found_in_its_other_folders(archive, monkeypatch, place):
    accept(monkeypatch)
    for path in list((archive / "ucr").iterdir()):
        (archive / place).mkdir(exist_ok=True)
        path.rename(archive / place / path.name)
    assert datasets.gunpoint().x_train.shape == (2, 3, 1)
