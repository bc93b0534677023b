import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from cnnlib.datasets import image_folder

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def save(file, image, **options):
    """Write an array or a Pillow image, making its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(image, Image.Image):
        image = Image.fromarray(np.asarray(image, np.uint8))
    image.save(file, **options)
    return file


def flat(colour, height=4, width=4):
    return np.full((height, width, 3), colour, np.uint8)


def classes(root, **counts):
    """Folders of flat images: image i of class k has colour (k, i, 0)."""
    for k, (name, count) in enumerate(counts.items()):
        for i in range(count):
            save(root / name / f"{i:03}.png", flat((k, i, 0)))
    return root


def numbers(x):
    """Which image each one is, of those of ``classes``."""
    return x[:, 0, 0, 1].tolist()


# ---------------------------------------------------------------- what comes back


def test_a_folder_becomes_a_dataset(tmp_path):
    data = image_folder(classes(tmp_path, dog=10, cat=5), size=(3, 2))
    assert data.class_names == ("cat", "dog")
    assert (data.x_train.shape, data.x_test.shape) == ((12, 3, 2, 3), (3, 3, 2, 3))
    assert {data.x_train.dtype, data.x_test.dtype} == {np.dtype("uint8")}
    assert {data.y_train.dtype, data.y_test.dtype} == {np.dtype("int32")}
    assert data.y_train.tolist() == [0] * 4 + [1] * 8
    assert data.y_test.tolist() == [0] + [1] * 2


def test_every_image_comes_once_with_its_own_label_in_sorted_order(tmp_path):
    data = image_folder(classes(tmp_path, a=7, b=6), size=1)
    for k, count in enumerate((7, 6)):
        train, test = data.x_train[data.y_train == k], data.x_test[data.y_test == k]
        assert {*train[..., 0].ravel(), *test[..., 0].ravel()} == {k}
        assert numbers(train) == sorted(numbers(train))
        assert numbers(test) == sorted(numbers(test))
        assert sorted(numbers(train) + numbers(test)) == list(range(count))


def test_the_split_is_the_same_everywhere_and_another_for_another_seed(tmp_path):
    root = classes(tmp_path, a=20, b=20)
    first, again, other = (image_folder(root, size=1, seed=s) for s in (0, 0, 1))
    assert numbers(first.x_test) == numbers(again.x_test)
    assert numbers(first.x_test) != numbers(other.x_test)
    # These very ones, on every machine; and not the same ones in both classes.
    assert numbers(first.x_test) == [1, 4, 10, 14, 3, 5, 8, 17]


def test_a_class_more_leaves_the_split_of_the_others(tmp_path):
    before = image_folder(classes(tmp_path, b=20), size=1)
    after = image_folder(classes(tmp_path, b=20, a=9), size=1)
    assert numbers(after.x_test[after.y_test == 1]) == numbers(before.x_test)


@pytest.mark.parametrize(
    ("split", "count", "tests"),
    [
        (0.2, 10, 2),
        (0.25, 10, 2),
        (0.3, 9, 3),
        (0.01, 10, 1),
        (0.99, 10, 9),
        (0.2, 2, 1),
        (0, 1, 0),
    ],
)
def test_the_test_part_is_rounded_but_at_least_one_and_never_all(
    tmp_path, split, count, tests
):
    data = image_folder(classes(tmp_path, a=count), size=1, split=split)
    assert (len(data.x_train), len(data.x_test)) == (count - tests, tests)
    assert data.x_test.shape[1:] == (1, 1, 3)


def test_a_given_split_is_taken_as_it_is(tmp_path):
    classes(tmp_path / "train", a=3, b=2)
    classes(tmp_path / "test", a=1)
    save(tmp_path / "test" / "b" / "x.png", flat(BLUE))
    data = image_folder(tmp_path, size=1, split=0.5)
    assert numbers(data.x_train) == [0, 1, 2, 0, 1]
    assert data.y_train.tolist() == [0, 0, 0, 1, 1]
    assert data.y_test.tolist() == [0, 1]
    assert data.x_test[1].ravel().tolist() == list(BLUE)


def test_a_class_may_be_missing_from_a_given_test_set(tmp_path):
    classes(tmp_path / "train", a=1, b=1, c=1)
    classes(tmp_path / "test", c=2)
    data = image_folder(tmp_path, size=1)
    assert data.class_names == ("a", "b", "c")
    assert data.y_test.tolist() == [2, 2]


def test_names_may_have_spaces_and_any_letters(tmp_path):
    for name in ("żółw błotny", "Äpfel und Birnen", "猫"):
        save(tmp_path / name / "ein Bild №1.png", flat(RED))
    data = image_folder(str(tmp_path), size=1, split=0)
    assert data.class_names == ("Äpfel und Birnen", "żółw błotny", "猫")


def test_hidden_files_and_files_beside_the_classes_are_passed_over(tmp_path):
    root = classes(tmp_path, a=2, b=2)
    for name in (".DS_Store", "README.md", "a/.hidden", "a/Thumbs.db", "b/desktop.ini"):
        (root / name).write_text("no image")
    (root / ".git").mkdir()
    data = image_folder(root, size=1, split=0)
    assert data.class_names == ("a", "b")
    assert len(data.x_train) == 4


def test_links_within_the_folder_are_followed(tmp_path):
    root = classes(tmp_path, a=2)
    (root / "b").mkdir()
    (root / "b" / "same.png").symlink_to(root / "a" / "001.png")
    data = image_folder(root, size=1, split=0)
    assert numbers(data.x_train) == [0, 1, 1]


# ------------------------------------------------------------ how an image is read


def only(root, **options):
    """The one image of a folder with one class."""
    return image_folder(root, **{"size": 4, "split": 0, **options}).x_train[0]


def test_an_image_of_the_right_size_comes_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3))
    save(tmp_path / "a" / "x.png", pixels)
    np.testing.assert_array_equal(only(tmp_path, size=(6, 5)), pixels)


def test_the_central_part_is_kept_and_nothing_is_squeezed(tmp_path):
    wide = np.concatenate([flat(RED, 8, 6), flat(GREEN, 8, 8), flat(BLUE, 8, 6)], 1)
    save(tmp_path / "a" / "x.png", wide)
    np.testing.assert_array_equal(only(tmp_path, size=8), flat(GREEN, 8, 8))
    save(tmp_path / "a" / "x.png", wide.transpose(1, 0, 2))
    np.testing.assert_array_equal(only(tmp_path, size=8), flat(GREEN, 8, 8))
    # In the shape of the image itself, nothing is cut off.
    whole = only(tmp_path, size=(20, 8))
    np.testing.assert_array_equal(whole, wide.transpose(1, 0, 2))


def test_resizing_is_antialiased(tmp_path):
    fine = np.zeros((64, 64, 3))
    fine[:, ::2] = 255  # lines of one pixel: seen from afar, grey
    save(tmp_path / "a" / "x.png", fine)
    assert np.abs(only(tmp_path, size=4).astype(int) - 127).max() < 20


def test_small_images_are_enlarged_smoothly(tmp_path):
    save(tmp_path / "a" / "x.png", np.array([[[0] * 3, [200] * 3]] * 2))
    row = only(tmp_path, size=8)[4, :, 0].astype(int)
    assert (row[0], row[-1]) == (0, 200)
    assert (np.diff(row) >= 0).all()
    assert len(set(row)) > 3  # bilinear, not nearest


def test_colour_becomes_grey_by_luma(tmp_path):
    for name, colour in zip("abc", (RED, GREEN, BLUE), strict=True):
        save(tmp_path / name / "x.png", flat(colour))
    data = image_folder(tmp_path, size=2, split=0, channels=1)
    assert data.x_train.shape == (3, 2, 2, 1)
    assert data.x_train[:, 0, 0, 0].tolist() == [76, 150, 29]


def test_grey_images_become_grey_colours(tmp_path):
    save(tmp_path / "a" / "x.png", np.full((4, 4), 90))
    np.testing.assert_array_equal(only(tmp_path), flat((90, 90, 90)))


def test_sixteen_bit_grey_keeps_its_levels(tmp_path):
    levels = (np.arange(16).reshape(4, 4) * 17 * 257).astype(np.uint16)
    save(tmp_path / "a" / "x.png", Image.fromarray(levels))
    grey = only(tmp_path, channels=1)
    np.testing.assert_array_equal(grey[..., 0], levels // 257)


LEVELS = (np.arange(16).reshape(4, 4) * 273).astype(np.uint16)  # 0 to 4,095, by 17/255


def twelve_bits(file):
    """A TIFF of 12 bits a pixel, two pixels in three bytes, as microscopes write it."""
    packed = b"".join(
        bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255])
        for a, b in LEVELS.reshape(-1, 2).tolist()
    )
    tags = [(256, 4), (257, 4), (258, 12), (259, 1), (262, 1), (273, 8)]
    tags += [(277, 1), (278, 4), (279, len(packed))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    start = 8 + len(packed)
    header = b"II*\0" + struct.pack("<I", start)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(
        header + packed + struct.pack("<H", len(tags)) + entries + b"\0" * 4
    )


def test_a_tiff_of_twelve_bits_states_its_own_range(tmp_path):
    twelve_bits(tmp_path / "a" / "x.tif")
    grey = only(tmp_path, channels=1)[..., 0]
    np.testing.assert_array_equal(grey, np.arange(16).reshape(4, 4) * 17)


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_twelve_bits_in_a_file_of_sixteen_need_to_be_told(suffix, tmp_path):
    save(tmp_path / "a" / f"x.{suffix}", Image.fromarray(LEVELS))
    told = only(tmp_path, channels=1, value_range=(0, 4095))[..., 0]
    np.testing.assert_array_equal(told, np.arange(16).reshape(4, 4) * 17)
    assert only(tmp_path, channels=1).max() == 4095 // 257
    inner = only(tmp_path, channels=1, value_range=(273, 546))[..., 0]
    assert inner.ravel().tolist() == [0, 0] + [255] * 14  # beyond, it is cut off


def test_where_the_least_level_is_white_a_picture_is_no_negative(tmp_path):
    image = Image.fromarray(LEVELS * 16)
    file = save(tmp_path / "a" / "x.tif", image, tiffinfo={262: 0})
    with Image.open(file) as stored:
        assert stored.tag_v2[262] == 0
    grey = only(tmp_path, channels=1)[..., 0]
    np.testing.assert_array_equal(grey, 255 - LEVELS * 16 // 257)


def test_a_transparent_level_of_sixteen_bits_becomes_white(tmp_path):
    save(tmp_path / "a" / "x.png", Image.fromarray(LEVELS), transparency=273)
    grey = only(tmp_path, channels=1)[..., 0]
    assert grey.ravel()[:3].tolist() == [0, 255, 546 // 257]


def test_a_turned_picture_of_sixteen_bits_is_upright(tmp_path):
    exif = Image.Exif()
    exif[274] = 3  # upside down
    save(tmp_path / "a" / "x.png", Image.fromarray(LEVELS), exif=exif)
    grey = only(tmp_path, channels=1, value_range=(0, 4095))[..., 0]
    np.testing.assert_array_equal(grey[::-1, ::-1], np.arange(16).reshape(4, 4) * 17)


def test_a_pgm_states_its_own_range(tmp_path):
    (tmp_path / "a").mkdir()
    header = b"P5 4 4 4095\n"
    (tmp_path / "a" / "x.pgm").write_bytes(header + LEVELS.astype(">u2").tobytes())
    grey = only(tmp_path, channels=1)[..., 0]
    np.testing.assert_array_equal(grey, np.arange(16).reshape(4, 4) * 17)


def test_floats_are_taken_with_a_range(tmp_path):
    levels = np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4)
    save(tmp_path / "a" / "x.tif", Image.fromarray(levels))
    grey = only(tmp_path, channels=1, value_range=(-1.0, 1.0))[..., 0]
    assert np.abs(grey.ravel().astype(int) - np.arange(16) * 17).max() <= 1


def test_transparent_parts_become_white(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[..., 0], pixels[:2, :, 3] = 255, 255  # red above; clear, but red, below
    expected = flat(RED)
    expected[2:] = 255
    save(tmp_path / "a" / "x.png", Image.fromarray(pixels))
    np.testing.assert_array_equal(only(tmp_path), expected)
    palette = Image.fromarray(np.repeat([[0] * 4, [1] * 4], 2, 0).astype(np.uint8), "P")
    palette.putpalette([255, 0, 0, 0, 0, 255])
    save(tmp_path / "a" / "x.png", palette, transparency=1)
    np.testing.assert_array_equal(only(tmp_path), expected)


def test_of_an_animation_the_first_frame_is_taken(tmp_path):
    frames = [Image.fromarray(flat(colour)) for colour in (RED, GREEN, BLUE)]
    file = tmp_path / "a" / "x.gif"
    save(file, frames[0], save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(only(tmp_path), flat(RED))


def test_a_picture_taken_sideways_is_turned_upright(tmp_path):
    upright = np.concatenate([flat(RED, 8, 16), flat(BLUE, 8, 16)])
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    lying = np.rot90(upright).copy()
    save(tmp_path / "a" / "x.jpg", lying, exif=exif, quality=95, subsampling=0)
    image = only(tmp_path, size=16)
    assert np.abs(image[2, 8].astype(int) - RED).max() < 5
    assert np.abs(image[13, 8].astype(int) - BLUE).max() < 5


def test_the_content_counts_not_the_name(tmp_path):
    save(tmp_path / "a" / "x.jpg", flat(RED), format="PNG")
    save(tmp_path / "a" / "y", flat(RED), format="BMP")
    data = image_folder(tmp_path, size=4, split=0)
    np.testing.assert_array_equal(data.x_train, [flat(RED)] * 2)


def png(width, height):
    """The beginning of a black PNG of that size; none of its pixels is there."""

    def chunk(kind, content):
        body = kind + content
        return (
            struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


@pytest.mark.filterwarnings("error")
def test_a_large_image_is_read_and_a_huge_one_refused_before_it_is_decoded(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    save(tmp_path / "a" / "large.png", flat(RED, 20, 20))  # of which Pillow warns
    np.testing.assert_array_equal(only(tmp_path), flat(RED))
    (tmp_path / "a" / "huge.png").write_bytes(png(30_000, 30_000))
    with pytest.raises(ValueError, match=r"huge\.png can't be read.*900000000 pixels"):
        image_folder(tmp_path, size=4)


# ------------------------------------------------------------------------ bad input


def test_there_must_be_such_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        image_folder(tmp_path / "nowhere", size=4)
    file = save(tmp_path / "x.png", flat(RED))
    with pytest.raises(NotADirectoryError, match=r"x\.png is a file"):
        image_folder(file, size=4)


def test_there_must_be_class_folders(tmp_path):
    save(tmp_path / "x.png", flat(RED))
    with pytest.raises(ValueError, match=r"has no class folders.*<class>/<image>"):
        image_folder(tmp_path, size=4)
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    with pytest.raises(ValueError, match="train has no class folders"):
        image_folder(tmp_path, size=4)


def test_a_class_without_images_is_named(tmp_path):
    classes(tmp_path, a=2, b=2)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden").touch()
    with pytest.raises(ValueError, match="class 'empty' has no images"):
        image_folder(tmp_path, size=4)


def test_a_class_of_one_image_can_not_be_split(tmp_path):
    classes(tmp_path, a=2, b=1)
    with pytest.raises(ValueError, match=r"class 'b' has one image.*000\.png.*split=0"):
        image_folder(tmp_path, size=4)


def test_a_test_class_must_be_known_in_training(tmp_path):
    classes(tmp_path / "train", cat=2)
    classes(tmp_path / "test", cat=1, yak=1, elk=1, bat=1, cow=1, ant=1)
    unknown = "test has classes that .*train has not: ant, bat, cow, elk, yak$"
    with pytest.raises(ValueError, match=unknown):
        image_folder(tmp_path, size=4)


def test_nothing_may_stand_beside_train_and_test(tmp_path):
    for part in ("train", "test", "val"):
        classes(tmp_path / part, a=1)
    with pytest.raises(ValueError, match="has train and test, and beside them val"):
        image_folder(tmp_path, size=4)


def test_a_folder_in_a_class_folder_is_refused(tmp_path):
    classes(tmp_path / "pictures", a=2, b=2)
    with pytest.raises(ValueError, match="a is a folder in a class folder"):
        image_folder(tmp_path, size=4)


def test_a_file_that_is_no_image_is_named(tmp_path):
    classes(tmp_path, a=2, b=2)
    (tmp_path / "b" / "notes.txt").write_text("two dogs")
    with pytest.raises(ValueError, match=r"notes\.txt can't be read.*no such format"):
        image_folder(tmp_path, size=4)


def test_a_damaged_image_is_named(tmp_path):
    classes(tmp_path, a=2)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3))
    whole = save(tmp_path / "a" / "cut short.png", pixels)
    whole.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"cut short\.png can't be read as an image"):
        image_folder(tmp_path, size=4)


def test_pixels_without_a_known_range_are_refused(tmp_path):
    save(tmp_path / "a" / "x.tif", Image.fromarray(np.ones((4, 4), np.float32)))
    with pytest.raises(
        ValueError, match=r"x\.tif .*mode F.* no known range: give value_range"
    ):
        image_folder(tmp_path, size=4, split=0)


@pytest.mark.parametrize("what", ["class", "image"])
def test_a_link_out_of_the_folder_is_refused(tmp_path, what):
    root, outside = classes(tmp_path / "mine", a=2), classes(tmp_path / "other", b=2)
    link = root / "linked" if what == "class" else root / "a" / "linked.png"
    link.symlink_to(outside / "b" if what == "class" else outside / "b" / "000.png")
    with pytest.raises(ValueError, match=r"linked.* is a link .* out of .*mine"):
        image_folder(root, size=4)


@pytest.mark.parametrize("target", ["nothing.png", "x.png"])
def test_a_link_to_nothing_or_to_itself_is_named(tmp_path, target):
    root = classes(tmp_path, a=2)
    (root / "a" / "x.png").symlink_to(root / "a" / target)
    with pytest.raises(ValueError, match=r"x\.png is no file"):
        image_folder(root, size=4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size in whole pixels from 1, one side or .*given 0"),
        ({"size": 4.5}, r"size in .*given 4\.5"),
        ({"size": (4, 4, 3)}, r"size in .*given \(4, 4, 3\)"),
        ({"size": (4, -1)}, r"size in .*given \(4, -1\)"),
        ({"size": "32"}, "size in .*given '32'"),
        ({"size": 4, "split": 1}, "split from 0 to below 1; given 1"),
        ({"size": 4, "split": -0.1}, r"split from .*given -0\.1"),
        ({"size": 4, "split": float("nan")}, "split from .*given nan"),
        ({"size": 4, "split": "a"}, "split from .*given 'a'"),
        ({"size": 4, "seed": -1}, "seed=0 or more; given -1"),
        ({"size": 4, "seed": 0.5}, r"seed=0 or more; given 0\.5"),
        ({"size": 4, "channels": 2}, "channels=1 or 3; given 2"),
        ({"size": 4, "channels": True}, "channels=1 or 3; given True"),
    ],
)
def test_arguments_are_refused_before_the_folder_is_looked_at(
    tmp_path, options, message
):
    with pytest.raises(ValueError, match=message):
        image_folder(tmp_path / "nowhere", **options)


def test_no_image_is_decoded_before_all_files_are_looked_at(tmp_path, monkeypatch):
    classes(tmp_path, a=2, z=2)
    (tmp_path / "z" / "z.txt").write_text("no image")
    monkeypatch.setattr(
        Image.Image, "convert", lambda *_, **__: pytest.fail("decoded too early")
    )
    with pytest.raises(ValueError, match=r"z\.txt"):
        image_folder(tmp_path, size=4)
