"""Find, verify and read the sets that are not embedded; download what is not found."""

import gzip
import hashlib
import os
import pickle
import socket
import struct
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from cnnlib import files
from cnnlib.datasets.catalogue import IDX, SETS, CifarLayout, Dataset, Set

LEFT = "It was left as it is; move it away and load the set again."
NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")


class ChecksumError(ValueError):
    """A file's content is not the published one; the file is left as it is."""


def data_folder() -> Path:
    """Where the real sets are looked for, and where downloads land.

    ``$CNNLIB_DATA``, else ``data/`` of the repository that this package is installed
    from, else ``data/`` of the working directory. A relative ``$CNNLIB_DATA`` is looked
    for from the working directory, then from the repository: a notebook works in its
    own folder, whatever folder it was started from.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / "pyproject.toml").exists():
        root = Path.cwd()
    if not (name := os.environ.get("CNNLIB_DATA")):
        return root / "data"
    for base in (Path.cwd(), root):
        if (folder := (base / Path(name).expanduser()).resolve()).is_dir():
            return folder
    raise NotADirectoryError(f"CNNLIB_DATA={name!r} is not a folder")


def load(name: str) -> Dataset:
    """Load a set of ``SETS``; ``cnnlib.datasets.load`` says how."""
    folder = data_folder()
    cache = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"
    for base in (folder, cache):
        for alias in (*SETS[name].folders, ""):
            if data := _read(name, base / alias):
                return data
    return _download(name, folder)


def _read(name: str, place: Path) -> Dataset | None:
    """Read the set from the first container of it in ``place``, if there is one."""
    spec = SETS[name]
    data = _read_idx(spec, place) if spec.idx else None
    data = data or _read_npz(name, place)
    for layout in spec.cifar:
        data = data or _read_cifar(spec, layout, place)
    return data


def _digest(content: bytes, like: str) -> str:
    return hashlib.new("sha256" if len(like) == 64 else "md5", content).hexdigest()


def verify(where: str, content: bytes, expected: str) -> None:
    """ChecksumError unless the content of ``where`` has the expected checksum."""
    if (digest := _digest(content, expected)) != expected:
        raise ChecksumError(
            f"{where} is not the published one: expected checksum {expected}, found "
            f"{digest}{_whose(content)}. {LEFT}"
        )


def _whose(content: bytes) -> str:
    """Where the content is a known one of another place, say so."""
    for spec in SETS.values():
        for members in (spec.idx, *(layout.members for layout in spec.cifar)):
            for member, known in members.items():
                if _digest(content, known) == known:
                    return f" (it is {member} of {spec.title})"
    return ""


def _unreadable(path: Path, error: Exception, expected: str) -> ChecksumError:
    digest = _digest(path.read_bytes(), expected)
    reason = " ".join(str(error).split())
    return ChecksumError(
        f"{path} is damaged or cut short ({type(error).__name__}: {reason}): expected "
        f"content with checksum {expected}, found a file with checksum {digest}. {LEFT}"
    )


def _read_idx(spec: Set, place: Path) -> Dataset | None:
    """The four IDX files, plain or gzipped, under either of their usual names."""
    paths: dict[str, Path] = {}
    for name in IDX:
        for spelling in (name, name.replace("-idx", ".idx")):
            for path in (place / spelling, place / f"{spelling}.gz"):
                if path.is_file():
                    paths.setdefault(name, path)
    if not paths:
        return None
    if missing := [name for name in IDX if name not in paths]:
        raise FileNotFoundError(
            f"{place} has {len(paths)} of the 4 files of {spec.title} and lacks "
            f"{', '.join(missing)} (plain or .gz)"
        )
    arrays = []
    for name, path in paths.items():
        content = path.read_bytes()
        if path.suffix == ".gz":
            try:
                content = gzip.decompress(content)
            except (OSError, EOFError, zlib.error) as error:
                raise _unreadable(path, error, spec.idx[name]) from error
        verify(str(path), content, spec.idx[name])
        arrays.append(_from_idx(content))
    return _dataset(spec, *arrays)


def _from_idx(content: bytes) -> np.ndarray:
    rank = content[3]
    shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _to_idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">{array.ndim + 1}I", 0x0800 | array.ndim, *array.shape)
    return header + array.tobytes()


def _read_npz(name: str, place: Path) -> Dataset | None:
    """``<name>.npz`` as Keras writes it, held to the official files' checksums.

    There is none for CIFAR-100: its official records hold the coarse labels too.
    """
    spec, path = SETS[name], place / f"{name}.npz"
    if name == "cifar100" or not path.is_file():
        return None
    binary = next((x for x in spec.cifar if x.kind == "binary"), None)
    digests = spec.idx or binary.members
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [np.ascontiguousarray(file[key], np.uint8) for key in NPZ_KEYS]
        x_train, y_train, x_test, y_test = arrays
        if spec.idx:
            parts = dict(zip(IDX, map(_to_idx, arrays), strict=True))
        else:
            parts = _to_records(x_train, y_train, binary.train)
            parts |= _to_records(x_test, y_test, binary.test)
    except Exception as error:  # whatever a damaged file makes NumPy and zip raise
        raise _unreadable(path, error, next(iter(digests.values()))) from error
    for part, content in parts.items():
        verify(f"{path} (as {part})", content, digests[part])
    return _dataset(spec, x_train, y_train.ravel(), x_test, y_test.ravel())


def _to_records(x: np.ndarray, y: np.ndarray, members: dict[str, str]) -> dict:
    """CIFAR arrays as the official binary records: label, then the channels' planes."""
    planes = np.moveaxis(x, -1, 1).reshape(len(x), -1)
    records = np.column_stack([y.reshape(len(x), -1), planes])
    parts = np.array_split(records, len(members))
    return {member: part.tobytes() for member, part in zip(members, parts, strict=True)}


def _read_cifar(spec: Set, layout: CifarLayout, place: Path) -> Dataset | None:
    """The official batches, from their folder or from the archive as downloaded."""
    # Keras unpacks below a folder of its own making.
    for folder in (place / layout.folder, place / f"{layout.folder}-target"):
        folder = next((f for f in (folder / layout.folder, folder) if f.is_dir()), None)
        if folder is not None:
            contents = _folder_members(spec, folder, layout.members)
            return _from_cifar(spec, layout, folder, contents)
    for archive in (place / name for name in layout.archives):
        if archive.is_file():
            contents = _archive_members(layout, archive)
            return _from_cifar(spec, layout, archive, contents)
    return None


def _folder_members(spec: Set, folder: Path, digests: dict) -> Iterator[bytes]:
    if missing := [name for name in digests if not (folder / name).is_file()]:
        raise FileNotFoundError(
            f"{folder} is no whole {spec.title}: it lacks {', '.join(missing)}"
        )
    return ((folder / name).read_bytes() for name in digests)


def _archive_members(layout: CifarLayout, archive: Path) -> Iterator[bytes]:
    contents = {}
    try:
        # Not by trial: what looks like LZMA may ask for any memory.
        with tarfile.open(archive, "r:gz" if archive.suffix == ".gz" else "r:") as tar:
            for member in tar:
                if member.isfile() and member.name.startswith(f"{layout.folder}/"):
                    contents[Path(member.name).name] = tar.extractfile(member).read()
        return iter([contents[name] for name in layout.members])
    except Exception as error:  # whatever a damaged archive makes tar and zip raise
        expected = next(iter(layout.members.values()))
        raise _unreadable(archive, error, expected) from error


def _from_cifar(
    spec: Set, layout: CifarLayout, where: Path, contents: Iterator[bytes]
) -> Dataset:
    images, labels = [], []
    digests = layout.members.items()
    for (member, expected), content in zip(digests, contents, strict=True):
        verify(f"{where} ({member})", content, expected)
        if layout.kind == "python":
            # Unpickling runs what it reads, so it comes after the checksum.
            batch = pickle.loads(content, encoding="bytes")
            key = b"fine_labels" if b"fine_labels" in batch else b"labels"
            x, y = batch[b"data"], np.asarray(batch[key], np.uint8)
        else:
            head = 1 if len(spec.class_names) == 10 else 2  # CIFAR-100: coarse, fine
            records = np.frombuffer(content, np.uint8)
            records = records.reshape(-1, head + int(np.prod(spec.shape)))
            x, y = records[:, head:], records[:, head - 1]
        height, width, channels = spec.shape
        planes = np.reshape(x, (-1, channels, height, width))
        images.append(np.moveaxis(planes, 1, -1))
        labels.append(y)
    n = len(layout.train)
    parts = (images[:n], labels[:n], images[n:], labels[n:])
    return _dataset(spec, *map(np.concatenate, parts))


def _dataset(spec: Set, x_train, y_train, x_test, y_test) -> Dataset:
    return Dataset(
        np.array(x_train, np.uint8).reshape(-1, *spec.shape),
        np.array(y_train, np.int32),
        np.array(x_test, np.uint8).reshape(-1, *spec.shape),
        np.array(y_test, np.int32),
        spec.class_names,
    )


def _download(name: str, folder: Path) -> Dataset:
    """Fetch the set, verify it, and bring it into ``folder`` by one rename."""
    spec = SETS[name]
    home = folder / name
    timeout = socket.getdefaulttimeout()
    folder.mkdir(parents=True, exist_ok=True)
    told = ", ".join(spec.download)
    if len(spec.download) > 1 and home.is_dir() and any(home.iterdir()):
        raise FileNotFoundError(
            f"{home} holds other files than {told}: move them away, and load "
            f"{spec.title} again"
        )
    try:
        with files.part(home) as part:
            part.mkdir()
            socket.setdefaulttimeout(30)
            for file, origin in spec.download.items():
                keras.utils.get_file(file, origin, cache_dir=part, cache_subdir="")
            loaded = _read(name, part)
            _settle(name, part, home)
            return loaded
    except ChecksumError as error:
        raise ChecksumError(f"the download of {spec.title}: {error}") from error
    except Exception as error:
        reason = " ".join(str(error).split())
        raise FileNotFoundError(
            f"{spec.title} is not in {folder}, and could not be downloaded ({reason}). "
            f"Put {told} into {home}, or point CNNLIB_DATA at a folder that has it."
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)


def _settle(name: str, part: Path, home: Path) -> None:
    """Give a whole set its name, beside what the folder has or another process made."""
    try:
        os.rename(part, home)
    except OSError:  # there is a folder of that name, and something in it
        fetched = list(part.iterdir())
        if len(fetched) == 1:
            os.replace(fetched[0], home / fetched[0].name)
        elif _read(name, home) is None:
            raise
