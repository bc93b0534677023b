import gzip
import hashlib
import io
import lzma
import os
import pickle
import re
import shutil
import struct
import tarfile
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from cnnlib import datasets
from cnnlib.datasets import ChecksumError, downloaded
from cnnlib.datasets.catalogue import IDX, SETS

# ------------------------------------------------------------------- embedded


def test_digits_are_scikit_learns_in_their_order():
    data = datasets.load("digits")
    bunch = load_digits()
    np.testing.assert_array_equal(
        np.concatenate([data.x_train, data.x_test])[..., 0], bunch.images
    )
    np.testing.assert_array_equal(
        np.concatenate([data.y_train, data.y_test]), bunch.target
    )
    assert (len(data.x_train), len(data.x_test)) == (1415, 382)
    assert data.x_train.max() == 16


def test_large_digits_have_the_same_split_and_look_the_same():
    small, large = datasets.load("digits"), datasets.load("digits28")
    for x, y, part in [
        (large.x_train, large.y_train, (small.x_train, small.y_train)),
        (large.x_test, large.y_test, (small.x_test, small.y_test)),
    ]:
        np.testing.assert_array_equal(y, part[1])
        # Seen at half of 8×8 again, the enlarged digit is the small one.
        coarse = x.reshape(-1, 4, 7, 4, 7).mean((2, 4)) / 255
        small4 = part[0].reshape(-1, 4, 2, 4, 2).mean((2, 4)) / 16
        assert np.abs(coarse - small4).mean() < 0.03
        assert np.abs(coarse - small4).max() < 0.25
    assert (large.x_train.min(), large.x_train.max()) == (0, 255)
    # Cubic splines, to the grey level.
    row = [136, 196, 224, 198, 129, 48, 0, 0, 0, 0, 16, 65, 111, 145, 161, 158, 138]
    assert large.x_train[0, 10, 6:23, 0].tolist() == pytest.approx(row, abs=1)


@pytest.mark.parametrize(("name", "side"), [("digits", 8), ("digits28", 28)])
def test_embedded_sets_have_their_shapes_and_types(name, side):
    data = datasets.load(name)
    assert data.x_train.shape == (1415, side, side, 1)
    assert data.x_test.shape == (382, side, side, 1)
    assert {data.x_train.dtype, data.x_test.dtype} == {np.dtype("uint8")}
    assert {data.y_train.dtype, data.y_test.dtype} == {np.dtype("int32")}
    assert data.class_names == tuple("0123456789")


@pytest.mark.parametrize(
    ("name", "shape", "brightness"),
    [
        ("china", (427, 640, 3), 143.7),
        ("flower", (427, 640, 3), 61.9),
        ("grace_hopper", (600, 512, 3), 80.4),
        ("cat", (300, 451, 3), 115.3),
        ("coffee", (400, 600, 3), 98.6),
        ("motorcycle", (500, 741, 3), 107.7),
        ("rocket", (427, 640, 3), 65.3),
    ],
)
def test_photographs_are_colour_arrays(name, shape, brightness):
    photo = datasets.photograph(name)
    assert photo.shape == shape
    assert photo.dtype == np.uint8
    assert photo.mean() == pytest.approx(brightness, abs=0.5)
    assert len(np.unique(photo[..., 0] - photo[..., 2])) > 10  # not grey


def test_the_cameraman_is_grey():
    photo = datasets.photograph("cameraman")
    assert photo.shape == (512, 512, 3)
    assert photo.mean() == pytest.approx(129.1, abs=0.1)
    assert (photo == photo[..., :1]).all()


def test_digits_are_enlarged_about_their_middle():
    """To turn a digit and to enlarge it can be exchanged; its mass stays, too."""
    small, large = datasets.load("digits").x_test, datasets.load("digits28").x_test
    assert large.sum() / 255 / 3.5**2 == pytest.approx(small.sum() / 16, rel=0.01)
    rows = np.arange(28) - 13.5
    places = (large[..., 0].sum(axis=(0, 2)) * rows).sum() / large.sum()
    before = (small[..., 0].sum(axis=(0, 2)) * (np.arange(8) - 3.5)).sum() / small.sum()
    assert places / 3.5 == pytest.approx(before, abs=0.01)
    assert large[0, 8:16, 10, 0].tolist() == [112, 94, 80, 69, 57, 45, 34, 28]


def test_unknown_names_get_the_nearest_and_the_known_ones():
    with pytest.raises(ValueError, match=r"'minst'.*nearest is 'mnist'.*cifar100"):
        datasets.load("minst")
    with pytest.raises(ValueError, match=r"'chin'.*nearest is 'china'.*flower"):
        datasets.photograph("chin")


# -------------------------------------------- the real sets, in every container


def md5(content):
    return hashlib.md5(content).hexdigest()


def sha(content):
    return hashlib.sha256(content).hexdigest()


class Small:
    """MNIST and CIFAR, made small: the catalogue's checksums are set to these."""

    def __init__(self, monkeypatch):
        rng = np.random.default_rng(0)

        def random(*shape, below=256):
            return rng.integers(0, below, shape).astype("uint8")

        # MNIST: 6 + 4 images.
        self.mnist = (
            random(6, 28, 28),
            random(6, below=10),
            random(4, 28, 28),
            random(4, below=10),
        )
        magic = {1: b"\0\0\x08\x01", 3: b"\0\0\x08\x03"}
        self.idx = {
            name: magic[a.ndim] + struct.pack(f">{a.ndim}I", *a.shape) + a.tobytes()
            for name, a in zip(IDX, self.mnist, strict=True)
        }
        for name in ("mnist", "fashion_mnist"):
            digests = {part: sha(content) for part, content in self.idx.items()}
            if name == "fashion_mnist":
                digests = {part: "0" * 64 for part in digests}
            monkeypatch.setitem(SETS, name, SETS[name]._replace(idx=digests))

        # CIFAR: batches of 2 images each; the files as the official forms have them.
        self.cifar, self.files = {}, {}
        for name in ("cifar10", "cifar100"):
            batches, layouts = {}, []
            for layout in SETS[name].cifar:
                contents = {}
                for part in (layout.train, layout.test):
                    for member in part:
                        key = member.removesuffix(".bin")
                        if key not in batches:
                            coarse, fine = random(2, below=20), random(2, below=10)
                            batches[key] = random(2, 3, 32, 32), coarse, fine
                        contents[member] = self.encode(name, layout, *batches[key])
                self.files[layout.folder] = contents
                layouts.append(
                    layout._replace(
                        train={m: md5(contents[m]) for m in layout.train},
                        test={m: md5(contents[m]) for m in layout.test},
                    )
                )
            monkeypatch.setitem(SETS, name, SETS[name]._replace(cifar=tuple(layouts)))
            train = [b for key, b in batches.items() if not key.startswith("test")]
            test = [b for key, b in batches.items() if key.startswith("test")]
            self.cifar[name] = tuple(
                np.concatenate([b[i] for b in part])
                for part in (train, test)
                for i in (0, 2)
            )

    @staticmethod
    def encode(name, layout, x, coarse, fine):
        if layout.kind == "python":
            labels = (
                {b"fine_labels": fine.tolist(), b"coarse_labels": coarse.tolist()}
                if name == "cifar100"
                else {b"labels": fine.tolist()}
            )
            return pickle.dumps({b"data": x.reshape(2, -1), **labels})
        labels = [coarse, fine] if name == "cifar100" else [fine]
        return np.column_stack([*labels, x.reshape(2, -1)]).tobytes()

    def check(self, name, data):
        """That ``data`` is the small set, with the shapes and types of the real one."""
        if name == "mnist":
            expected = self.mnist
            images = [a[..., None] for a in expected[::2]]
        else:
            expected = self.cifar[name]
            images = [a.transpose(0, 2, 3, 1) for a in expected[::2]]
        np.testing.assert_array_equal(data.x_train, images[0])
        np.testing.assert_array_equal(data.x_test, images[1])
        np.testing.assert_array_equal(data.y_train, expected[1])
        np.testing.assert_array_equal(data.y_test, expected[3])
        assert {data.x_train.dtype, data.x_test.dtype} == {np.dtype("uint8")}
        assert {data.y_train.dtype, data.y_test.dtype} == {np.dtype("int32")}
        assert data.class_names == SETS[name].class_names


@pytest.fixture
def small(monkeypatch):
    return Small(monkeypatch)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty data folder, no Keras cache, and no network."""
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("CNNLIB_DATA", str(data))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))

    def no_network(*args, **kwargs):
        raise OSError("Name or service\nnot known")

    monkeypatch.setattr(keras.utils, "get_file", no_network)
    return data


def put(place, files, suffix=""):
    place.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        packed = gzip.compress(content) if suffix == ".gz" else content
        (place / f"{name}{suffix}").write_bytes(packed)


def pack(archive, top, files):
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz" if archive.suffix == ".gz" else "w") as tar:
        for name, content in {**files, "readme.html": b"hello"}.items():
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("place", ["mnist", "MNIST/raw", "MNIST", "."])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_are_found_plain_and_gzipped(place, suffix, folder, small):
    put(folder / place, small.idx, suffix)
    small.check("mnist", datasets.load("mnist"))


def test_idx_files_are_found_under_their_other_spelling(folder, small):
    put(folder / "mnist", {k.replace("-idx", ".idx"): v for k, v in small.idx.items()})
    small.check("mnist", datasets.load("mnist"))


def save_npz(path, arrays):
    keys = ("x_train", "y_train", "x_test", "y_test")
    np.savez_compressed(path, **dict(zip(keys, arrays, strict=True)))


def test_mnist_is_found_as_keras_npz(folder, small):
    save_npz(folder / "mnist.npz", small.mnist)
    small.check("mnist", datasets.load("mnist"))


def test_cifar10_is_found_as_npz_with_a_column_of_labels(folder, small):
    x_train, y_train, x_test, y_test = small.cifar["cifar10"]
    arrays = [a.transpose(0, 2, 3, 1) for a in (x_train, x_test)]
    (folder / "cifar10").mkdir()
    save_npz(
        folder / "cifar10" / "cifar10.npz",
        (arrays[0], y_train[:, None].astype("int64"), arrays[1], y_test[:, None]),
    )
    small.check("cifar10", datasets.load("cifar10"))


LAYOUTS = [
    (name, layout) for name in ("cifar10", "cifar100") for layout in SETS[name].cifar
]


@pytest.mark.parametrize(
    ("name", "layout"), LAYOUTS, ids=lambda x: getattr(x, "folder", x)
)
@pytest.mark.parametrize("place", [".", "{name}"])
def test_cifar_is_found_as_folder(name, layout, place, folder, small):
    place = folder / place.format(name=name) / layout.folder
    put(place, small.files[layout.folder])
    small.check(name, datasets.load(name))


@pytest.mark.parametrize(
    ("name", "layout"), LAYOUTS, ids=lambda x: getattr(x, "folder", x)
)
@pytest.mark.parametrize("which", [0, 1])
def test_cifar_is_found_as_archive(name, layout, which, folder, small):
    archive = folder / name / layout.archives[which]
    pack(archive, layout.folder, small.files[layout.folder])
    small.check(name, datasets.load(name))
    assert sorted(folder.rglob("*")) == [folder / name, archive]  # nothing unpacked


def test_keras_own_cache_is_used(folder, small, tmp_path):
    cache = tmp_path / "keras" / "datasets"
    cache.mkdir(parents=True)
    save_npz(cache / "mnist.npz", small.mnist)
    small.check("mnist", datasets.load("mnist"))
    unpacked = cache / "cifar-10-batches-py-target" / "cifar-10-batches-py"
    put(unpacked, small.files["cifar-10-batches-py"])
    small.check("cifar10", datasets.load("cifar10"))


def test_the_named_folder_comes_before_keras_cache(folder, small, tmp_path):
    cache = tmp_path / "keras" / "datasets"
    cache.mkdir(parents=True)
    (cache / "mnist.npz").write_bytes(b"not looked at")
    put(folder / "mnist", small.idx)
    small.check("mnist", datasets.load("mnist"))


# ------------------------------------------------------------ what can be wrong


def refused(name, path, *words):
    before = path.read_bytes()
    with pytest.raises(ChecksumError) as caught:
        datasets.load(name)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    for word in words:
        assert word in message
    assert path.read_bytes() == before


def test_a_changed_byte_is_reported_with_both_checksums(folder, small):
    put(folder / "mnist", small.idx)
    path = folder / "mnist" / IDX[2]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    refused("mnist", path, SETS["mnist"].idx[IDX[2]], sha(bytes(content)))


def test_a_cut_gzip_is_reported_with_both_checksums(folder, small):
    put(folder / "mnist", small.idx, ".gz")
    path = folder / "mnist" / f"{IDX[0]}.gz"
    content = path.read_bytes()[:-50]
    path.write_bytes(content)
    refused("mnist", path, "cut short", SETS["mnist"].idx[IDX[0]], sha(content))


def test_a_file_of_another_set_is_recognised(folder, small):
    swapped = dict(zip(IDX, [small.idx[name] for name in reversed(IDX)], strict=True))
    put(folder / "mnist", swapped)
    refused("mnist", folder / "mnist" / IDX[0], f"it is {IDX[3]} of MNIST")


def test_mnist_in_place_of_fashion_mnist_is_recognised(folder, small):
    put(folder / "fashion_mnist", small.idx)
    refused("fashion_mnist", folder / "fashion_mnist" / IDX[0], "of MNIST")


def test_an_npz_of_other_numbers_is_refused(folder, small):
    arrays = [a.copy() for a in small.mnist]
    arrays[1][0] += 1
    save_npz(folder / "mnist.npz", arrays)
    refused("mnist", folder / "mnist.npz", IDX[1], SETS["mnist"].idx[IDX[1]])


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04 cut short"])
def test_a_broken_npz_is_refused(content, folder, small):
    (folder / "mnist.npz").write_bytes(content)
    refused("mnist", folder / "mnist.npz", sha(content))


@pytest.mark.parametrize("at", [75, 90, 120])
def test_an_npz_that_does_not_decompress_is_refused(at, folder, small):
    path = folder / "mnist.npz"
    save_npz(path, small.mnist)
    content = bytearray(path.read_bytes())
    content[at : at + 40] = b"\xff" * 40
    path.write_bytes(content)
    refused("mnist", path, "damaged or cut short", sha(bytes(content)))


def test_an_npz_that_lacks_an_array_is_refused(folder, small):
    np.savez(folder / "mnist.npz", x_train=small.mnist[0])
    refused("mnist", folder / "mnist.npz", "y_train")


def test_a_foreign_pickle_is_refused_without_being_run(folder, small, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    put(folder / "cifar-10-batches-py", small.files["cifar-10-batches-py"])
    path = folder / "cifar-10-batches-py" / "data_batch_1"
    path.write_bytes(pickle.dumps(Trap()))
    expected = SETS["cifar10"].cifar[0].train["data_batch_1"]
    with pytest.raises(ChecksumError, match=expected):
        datasets.load("cifar10")
    assert not (tmp_path / "sprung").exists()


def test_a_cut_archive_is_refused(folder, small):
    archive = folder / "cifar-10-python.tar.gz"
    pack(archive, "cifar-10-batches-py", small.files["cifar-10-batches-py"])
    archive.write_bytes(archive.read_bytes()[:-2000])
    refused("cifar10", archive, "cut short", md5(archive.read_bytes()))


def test_an_archive_that_is_none_is_refused_in_one_line(folder, small):
    """Python's tarfile says in several lines what each of its methods met."""
    path = folder / "cifar-10-python.tar.gz"
    path.write_bytes(b"no archive at all")
    refused("cifar10", path, "damaged or cut short")


def test_an_archive_is_not_unpacked_by_trial(folder, small):
    """A file of LZMA states how much memory it wants, up to 4 GB."""
    path = folder / "cifar-10-python.tar"
    pack(path, "cifar-10-batches-py", small.files["cifar-10-batches-py"])
    path.write_bytes(lzma.compress(path.read_bytes()))
    refused("cifar10", path, "damaged or cut short")


def test_an_archive_that_lacks_a_batch_is_refused(folder, small):
    files = dict(small.files["cifar-10-batches-py"])
    del files["data_batch_3"]
    archive = folder / "cifar-10-python.tar.gz"
    pack(archive, "cifar-10-batches-py", files)
    refused("cifar10", archive, "data_batch_3")


def test_missing_files_of_a_set_are_named(folder, small):
    files = dict(small.idx)
    del files[IDX[1]], files[IDX[3]]
    put(folder / "mnist", files)
    with pytest.raises(FileNotFoundError, match=f"2 of the 4.*{IDX[1]}, {IDX[3]}"):
        datasets.load("mnist")
    batches = dict(small.files["cifar-100-binary"])
    del batches["test.bin"]
    put(folder / "cifar-100-binary", batches)
    with pytest.raises(FileNotFoundError, match=r"cifar-100-binary.*lacks test\.bin"):
        datasets.load("cifar100")


@pytest.mark.parametrize("name", SETS)
def test_without_file_and_network_the_file_and_the_folder_are_named(name, folder):
    with pytest.raises(FileNotFoundError) as caught:
        datasets.load(name)
    message = str(caught.value)
    assert "\n" not in message
    assert f"{folder / name}" in message
    assert "Name or service not known" in message
    for file in SETS[name].download:
        assert file in message
    assert list(folder.iterdir()) == []


def test_a_data_folder_that_is_none_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(NotADirectoryError, match="nowhere"):
        datasets.load("mnist")


def test_the_data_folder_is_the_variables_else_the_repositorys(monkeypatch, tmp_path):
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path))
    assert datasets.data_folder() == tmp_path.resolve()
    monkeypatch.delenv("CNNLIB_DATA")
    assert datasets.data_folder() == Path(__file__).resolve().parents[1] / "data"


def test_a_relative_data_folder_is_found_from_a_notebooks_folder_too(
    monkeypatch, tmp_path
):
    root = Path(__file__).resolve().parents[1]
    monkeypatch.setenv("CNNLIB_DATA", "./data")
    monkeypatch.chdir(tmp_path)
    assert datasets.data_folder() == root / "data"
    (tmp_path / "data").mkdir()
    assert datasets.data_folder() == tmp_path.resolve() / "data"


# -------------------------------------------------------------------- download


def serve(monkeypatch, files, *, cut=()):
    """In place of the network: ``files``, of which those in ``cut`` end half way."""

    def get_file(fname, origin, cache_dir, cache_subdir):
        path = Path(cache_dir) / cache_subdir / fname
        if fname in cut:
            path.write_bytes(files[fname][: len(files[fname]) // 2])
            raise OSError("connection lost")
        path.write_bytes(files[fname])
        assert origin.startswith("https://")
        assert origin.endswith(fname)
        return str(path)

    monkeypatch.setattr(keras.utils, "get_file", get_file)


def test_a_download_lands_under_its_name_and_is_used_again(folder, small, monkeypatch):
    buffer = io.BytesIO()
    save_npz(buffer, small.mnist)
    serve(monkeypatch, {"mnist.npz": buffer.getvalue()})
    small.check("mnist", datasets.load("mnist"))
    assert sorted(folder.rglob("*")) == [folder / "mnist", folder / "mnist/mnist.npz"]
    monkeypatch.setattr(keras.utils, "get_file", None)  # a second one would fail
    small.check("mnist", datasets.load("mnist"))


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_a_downloaded_archive_is_read_as_it_is(
    name, folder, small, monkeypatch, tmp_path
):
    layout = SETS[name].cifar[0]
    archive = tmp_path / layout.archives[0]
    pack(archive, layout.folder, small.files[layout.folder])
    serve(monkeypatch, {archive.name: archive.read_bytes()})
    small.check(name, datasets.load(name))
    assert [p for p in folder.rglob("*") if p.is_file()] == [
        folder / name / archive.name
    ]


def test_a_download_cut_short_leaves_nothing(folder, small, monkeypatch):
    digests = {part: sha(content) for part, content in small.idx.items()}
    spec = SETS["fashion_mnist"]._replace(idx=digests)
    monkeypatch.setitem(SETS, "fashion_mnist", spec)
    files = {
        f"{name}.gz": gzip.compress(content) for name, content in small.idx.items()
    }
    serve(monkeypatch, files, cut=[f"{IDX[2]}.gz"])
    with pytest.raises(FileNotFoundError, match="connection lost"):
        datasets.load("fashion_mnist")
    assert list(folder.iterdir()) == []
    serve(monkeypatch, files)
    datasets.load("fashion_mnist")
    home = folder / "fashion_mnist"
    assert sorted(p.name for p in home.iterdir()) == sorted(files)


def test_a_download_of_something_else_leaves_nothing(folder, small, monkeypatch):
    buffer = io.BytesIO()
    save_npz(buffer, [np.zeros_like(a) for a in small.mnist])
    serve(monkeypatch, {"mnist.npz": buffer.getvalue()})
    with pytest.raises(ChecksumError, match=r"download of MNIST.*mnist\.npz"):
        datasets.load("mnist")
    assert list(folder.iterdir()) == []


def test_an_interrupted_download_leaves_nothing(folder, small, monkeypatch):
    def get_file(fname, origin, cache_dir, cache_subdir):
        (Path(cache_dir) / fname).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(KeyboardInterrupt):
        datasets.load("mnist")
    assert list(folder.iterdir()) == []


def test_a_set_of_several_files_is_not_mixed_with_others(folder, small):
    """All of them appear by one rename, for which there is no place."""
    put(folder / "fashion_mnist", {"notes": b"mine"})
    with pytest.raises(FileNotFoundError, match=r"holds other files.*move them away"):
        datasets.load("fashion_mnist")
    assert [p.name for p in folder.rglob("*") if p.is_file()] == ["notes"]


def test_a_set_of_one_file_is_put_beside_others(folder, small, monkeypatch):
    put(folder / "mnist", {"notes": b"mine"})
    buffer = io.BytesIO()
    save_npz(buffer, small.mnist)
    serve(monkeypatch, {"mnist.npz": buffer.getvalue()})
    small.check("mnist", datasets.load("mnist"))
    names = sorted(p.name for p in (folder / "mnist").iterdir())
    assert names == ["mnist.npz", "notes"]


def test_of_two_downloads_at_once_both_have_the_set(folder, small, monkeypatch):
    digests = {part: sha(content) for part, content in small.idx.items()}
    spec = SETS["fashion_mnist"]._replace(idx=digests)
    monkeypatch.setitem(SETS, "fashion_mnist", spec)
    packed = {f"{name}.gz": gzip.compress(c) for name, c in small.idx.items()}
    serve(monkeypatch, packed)
    fetch, home = keras.utils.get_file, folder / "fashion_mnist"

    def overtaken(fname, *args, **kwargs):
        if fname == list(packed)[-1]:
            put(home, packed)
        return fetch(fname, *args, **kwargs)

    monkeypatch.setattr(keras.utils, "get_file", overtaken)
    data = datasets.load("fashion_mnist")
    np.testing.assert_array_equal(data.y_test, small.mnist[3])
    assert [p.name for p in folder.iterdir()] == ["fashion_mnist"]


# --------------------------------------------------------------- the catalogue

README = (Path(__file__).resolve().parents[1] / "data" / "README.md").read_text()


@pytest.mark.parametrize("name", SETS)
def test_the_data_page_states_every_checksum_source_and_name(name):
    spec = SETS[name]
    section = README.split(f"## {spec.title} (`{name}`)")[1].split("\n## ")[0]
    stated = dict(re.findall(r"\| `([^`]+)` \| `([0-9a-f]+)` \|", section))
    expected = dict(spec.idx)
    for layout in spec.cifar:
        for member, digest in {**layout.train, **layout.test}.items():
            expected[f"{layout.folder}/{member}"] = digest
        assert f"`{layout.archives[0]}`" in section
    assert stated == expected
    assert {len(digest) for digest in stated.values()} <= {32, 64}
    for origin in spec.download.values():
        assert f"<{origin}>" in section


def test_the_catalogue_has_the_shapes_and_classes_of_the_sets():
    facts = {name: (s.shape, len(s.class_names)) for name, s in SETS.items()}
    assert facts == {
        "mnist": ((28, 28, 1), 10),
        "fashion_mnist": ((28, 28, 1), 10),
        "cifar10": ((32, 32, 3), 10),
        "cifar100": ((32, 32, 3), 100),
    }
    for name in ("cifar10", "cifar100"):
        names = SETS[name].class_names
        assert list(names) == sorted(set(names))
    assert SETS["fashion_mnist"].class_names[5:8] == ("sandal", "shirt", "sneaker")


def test_names_lists_every_set():
    assert ("digits", "digits28", *SETS) == datasets.NAMES


# --------------------------------------------------------------- the real thing

MNIST = downloaded.data_folder() / "mnist" / f"{IDX[0]}.gz"


@pytest.mark.skipif(
    not MNIST.exists(),
    reason=f"real MNIST is not there: no {MNIST.name} in mnist/ of CNNLIB_DATA",
)
def test_real_mnist_is_found_verified_and_whole(tmp_path, monkeypatch):
    data = datasets.load("mnist")
    assert data.x_train.shape == (60_000, 28, 28, 1)
    assert data.x_test.shape == (10_000, 28, 28, 1)
    assert data.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(data.y_test).tolist() == [
        *(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    ]
    # The same content in another container is the same set.
    save_npz(tmp_path / "mnist.npz", [a.squeeze() for a in data[:4]])
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path))
    again = datasets.load("mnist")
    for first, second in zip(data[:4], again[:4], strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.skipif(not MNIST.exists(), reason="real MNIST is not there")
def test_a_real_file_cut_short_is_refused(tmp_path, monkeypatch):
    shutil.copytree(MNIST.parent, tmp_path / "mnist")
    path = tmp_path / "mnist" / MNIST.name
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:1_000_000])
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path))
    refused("mnist", path, "cut short", SETS["mnist"].idx[IDX[0]])
