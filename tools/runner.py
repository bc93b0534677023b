"""Runs notebooks side by side, watches their kernels, and ends them all on Ctrl-C."""

import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from tools.course import Course, CourseError, write
from tools.kernel import Limits
from tools.progress import Progress, Run, table

TICK = 1.0  # seconds between two looks at the kernels
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


class NotebookError(CourseError):
    """One notebook went wrong; the others may go on."""


def cores() -> int:
    """The processor cores that this process may use."""
    count = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    try:  # what a container may use, in microseconds per period
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        count = min(count, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):  # no such file, or no quota
        pass
    return max(1, count)


def jobs_of(text: str | None) -> int:
    """How many notebooks run side by side: the number asked for, else one per core.

    Raises:
        CourseError: ``text`` is no whole number from 1.
    """
    if not text:
        return cores()
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise CourseError(
            f"JOBS={text}: how many notebooks run side by side, a whole number from 1",
            2,
        )
    return int(text)


def name_of(path: Path) -> str:
    """What a notebook is called in all that is said: 05_x, or solutions/05_x."""
    return "solutions/" * (path.parent.name == "solutions") + path.stem


@dataclass
class Runner:
    """What is common to everything that runs notebooks.

    Args:
        course: the folders.
        progress: where to show what runs.
        jobs: how many notebooks run side by side.
        limits: when a kernel is taken to hang.
    """

    course: Course
    progress: Progress
    jobs: int = field(default_factory=cores)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self):
        self.threads = max(1, cores() // self.jobs)

    def env(self, env: dict[str, str]) -> dict[str, str]:
        """``env`` with a kernel's share of the machine's threads."""
        return env | dict.fromkeys(THREADS, str(self.threads))

    def _limits(self, env: dict[str, str]) -> Limits:
        if env.get("CNNLIB_SCALE") == "full" or self.limits.processor is None:
            return Limits(self.limits.still, None)
        return Limits(self.limits.still, self.limits.processor * self.threads)

    def run(
        self, paths: list[Path], work: Callable, env: dict[str, str]
    ) -> Iterator[tuple[Path, object]]:
        """Do ``work(path, env, run)`` for every notebook, the longest first.

        Close this generator to be sure that nothing runs on; leaving it by an
        exception, Ctrl-C too, ends all kernels.

        Yields:
            each path, as it is done, and what its work returned, or the NotebookError
            that it raised. Any other exception ends everything.
        """
        env, limits, start = self.env(env), self._limits(env), time.monotonic()
        running: set[Run] = set()
        done: list[Run] = []
        stopping = threading.Event()

        def job(path: Path):
            if stopping.is_set():
                return None
            run = Run(name_of(path), self.progress, limits)
            running.add(run)
            try:
                return work(path, env, run)
            finally:
                running.discard(run)
                run.finish()
                done.append(run)

        paths = self._longest_first(paths)
        with ThreadPoolExecutor(self.jobs) as pool:
            waiting = {pool.submit(job, path): path for path in paths}
            try:
                while waiting:
                    if self.progress.interrupted:
                        raise KeyboardInterrupt
                    ready, _ = wait(waiting, TICK, FIRST_COMPLETED)
                    for future in ready:
                        path = waiting.pop(future)
                        try:
                            outcome = future.result()
                        except NotebookError as error:
                            outcome = error
                        yield path, outcome
                    now = time.monotonic()
                    by_name = sorted(running.copy(), key=lambda run: run.name)
                    for run in by_name:
                        run.look(now)
                    self.progress.live([run.line(now) for run in by_name])
            finally:
                stopping.set()
                self.progress.live([])
                for future in waiting:
                    future.cancel()
                # A kernel may start while others are ended: until all threads ended.
                while not all(future.done() for future in waiting):
                    for run in running.copy():
                        run.end()
                    wait(waiting, TICK / 10)
        self._remember(done)
        for line in table(done, time.monotonic() - start):
            self.progress.say(line)

    @property
    def _seconds(self) -> Path:
        return self.course.build / "seconds.json"

    def _known(self) -> dict[str, float]:
        try:
            return json.loads(self._seconds.read_text("utf-8"))
        except (OSError, ValueError):  # the first run
            return {}

    def _longest_first(self, paths: list[Path]) -> list[Path]:
        """By what they took last time; before those, unknown ones, the largest first.

        The end is long where a long notebook starts last.
        """
        known = self._known()

        def cost(path: Path) -> tuple[float, int]:
            return known.get(name_of(path), math.inf), path.stat().st_size

        return sorted(paths, key=cost, reverse=True)

    def _remember(self, runs: list[Run]) -> None:
        if runs:
            took = {run.name: round(run.wall, 1) for run in runs}
            write(self._seconds, json.dumps(self._known() | took, indent=1))


def report(errors: list[CourseError]) -> None:
    """Raise all errors as one, if there are any."""
    if errors:
        raise CourseError("\nerror: ".join(map(str, errors)))
