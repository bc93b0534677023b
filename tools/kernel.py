"""Kernels seen from outside: how one starts, whether it works, how it is ended."""

import contextlib
import time
from dataclasses import dataclass

import psutil
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager, KernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

# A kernel that waits uses 0.03 % of a core. One that works gets more than this of it
# even beside a hundred other programs.
BUSY = 0.001


class ThisPython(KernelSpecManager):
    """Every notebook runs on this interpreter, whatever kernels a user installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())


def manager(folder: str, kind: type[KernelManager] = AsyncKernelManager):
    """A manager of one kernel, whose sockets lie in ``folder``.

    TCP ports may be snatched before they are bound, all the more with kernels that
    start side by side.
    """
    return kind(
        kernel_spec_manager=ThisPython(),
        transport="ipc",
        connection_file=f"{folder}/kernel.json",
    )


def _tree(pid: int) -> list[psutil.Process]:
    """A process and all that descend from it; empty where it is gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _seconds(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        ended = times.children_user + times.children_system
        return times.user + times.system + ended
    return 0.0


def own_seconds(pid: int | None) -> float:
    """Seconds of processor time of a process and of its children that have ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return _seconds(psutil.Process(pid)) if pid else 0.0
    return 0.0


def _reads_a_disk(processes: list[psutil.Process]) -> bool:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_DISK_SLEEP:
                return True
    return False


def end(pid: int) -> None:
    """Kill a process and all that descend from it."""
    # Stopped first: a stopped process cannot start another while they are counted.
    for deed in (psutil.Process.suspend, psutil.Process.kill):
        for process in _tree(pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                deed(process)


@dataclass(frozen=True)
class Limits:
    """When a kernel is taken to hang, in seconds; no slow machine reaches them.

    ``still``: it and its children used no processor time for so long.
    ``processor``: one cell used so much processor time; None for no such limit.
    """

    still: float = 300.0
    processor: float | None = 3600.0


class Watch:
    """Whether one kernel hangs, by the processor time that it uses."""

    def __init__(self, pid: int, limits: Limits):
        self.pid, self.limits = pid, limits
        self.looked = time.monotonic()
        self.started = own_seconds(pid)
        self.mark, self.seen = self.started, 0.0

    def new_cell(self) -> None:
        """Count the processor time of a cell from here on."""
        self.started = own_seconds(self.pid)

    def due(self, now: float) -> bool:
        """Whether it is time to look again: looking costs a little, too."""
        return now - self.looked >= min(5.0, self.limits.still / 5)

    def complaint(self, now: float) -> str | None:
        """Look at the kernel; say why it is taken to hang, None where it is not.

        Only time during which this process ran counts: a kernel that waited for a
        suspended ``make`` does not hang.
        """
        self.seen += min(now - self.looked, 10.0)
        self.looked = now
        processes = _tree(self.pid)
        used = sum(map(_seconds, processes))
        allowed = self.limits.processor
        if allowed is not None and used - self.started > allowed:
            return f"used {words(allowed)} of processor time and was ended"
        worked = used - self.mark > BUSY * self.limits.still
        if worked or not processes or _reads_a_disk(processes):
            self.mark, self.seen = used, 0.0
        if self.seen >= self.limits.still:
            span = words(self.limits.still)
            return f"its kernel used no processor time for {span} and was ended"
        return None


def words(seconds: float) -> str:
    """A span of time for a reader: 300.0 is 5 minutes."""
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} s"
