import os
import platform
import subprocess
import sys
import time

import pytest

from cnnlib import files


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / "name.txt"
    path.write_text("before")
    with files.written(path) as part:
        assert part.parent == tmp_path
        assert part.suffix == ".txt"
        part.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert names(tmp_path) == ["name.txt"]


def half(part):
    part.write_text("half")
    raise KeyboardInterrupt


def test_a_file_that_fails_leaves_the_one_before(tmp_path):
    path = tmp_path / "name.txt"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), files.written(path) as part:
        half(part)
    assert path.read_text() == "before"
    assert names(tmp_path) == ["name.txt"]


def test_parts_of_one_process_are_not_in_each_others_way(tmp_path):
    path = tmp_path / "name"
    with files.part(path) as one, files.part(path) as other:
        one.mkdir()
        other.write_text("a file")
        assert one.is_dir()
    assert names(tmp_path) == []


def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_process_of_somebody_else_writes_stays(tmp_path, monkeypatch):
    def forbidden(process, signal):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", forbidden)
    part = tmp_path / f".part-1@{platform.node()}-0-a.txt"
    part.touch()
    files.sweep(tmp_path)
    assert names(tmp_path) == [part.name]


def test_what_dead_processes_left_goes_and_what_others_write_stays(tmp_path):
    here = platform.node()
    dead = [f".part-{ended()}@{here}-0-a.txt", f".part-{ended()}@{here}-1-folder"]
    alive = [
        f".part-{os.getppid()}@{here}-0-a.txt",
        f".part-{dead[0].partition('-')[2].partition('@')[0]}@{here}else-0-a.txt",
        ".part-of-nobody",
    ]
    for name in (dead[0], *alive):
        (tmp_path / name).write_text("half")
    (tmp_path / dead[1]).mkdir()
    (tmp_path / dead[1] / "file").write_text("half")
    files.sweep(tmp_path)
    assert names(tmp_path) == sorted(alive)
    for name in alive:  # after more than a day nobody writes any more
        os.utime(tmp_path / name, (0, 0))
    with files.written(tmp_path / "name") as part:
        part.write_text("whole")
    assert names(tmp_path) == ["name"]
    files.sweep(tmp_path / "missing")


def test_what_cannot_be_removed_is_left_to_the_next_sweep(tmp_path, monkeypatch):
    part = tmp_path / f".part-{ended()}@{platform.node()}-0-folder"
    part.mkdir()
    (part / "file").write_text("half")

    def busy(*_, **__):
        raise OSError(16, "Device or resource busy")

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", busy)
        patched.setattr(os, "rmdir", busy)
        files.sweep(tmp_path)
    assert names(tmp_path) == [part.name]
    files.sweep(tmp_path)
    assert names(tmp_path) == []


def test_a_part_of_nobody_is_kept_for_a_day(tmp_path):
    for hours in (20, 28):
        (tmp_path / f".part-of-nobody-{hours}").write_text("half")
        then = time.time() - hours * 3600
        os.utime(tmp_path / f".part-of-nobody-{hours}", (then, then))
    files.sweep(tmp_path)
    assert names(tmp_path) == [".part-of-nobody-20"]
