"""What a terminal or a log is told while notebooks run, and the table at the end."""

import shutil
import sys
import threading
import time
from dataclasses import dataclass, field

from tools.kernel import Limits, Watch, end, own_seconds

SHOWN = 8  # rows of each half of the table of where the time went


class Progress:
    """Lines that stay and, on a terminal, a live line per running notebook below.

    ``interrupted`` tells whether the command was, even where Python dropped that.
    """

    def __init__(self, stream=None):
        self.interrupted = False
        self.stream = stream or sys.stdout
        self.tty = self.stream.isatty()
        self._lock = threading.RLock()
        self._live: list[str] = []
        self._drawn = 0

    def say(self, line: str) -> None:
        """Write a line that stays."""
        with self._lock:
            self._wipe()
            print(line, file=self.stream)
            self._draw()

    def live(self, lines: list[str]) -> None:
        """Show these lines below all others, in place of those before them."""
        if self.tty:
            with self._lock:
                self._wipe()
                self._live = lines
                self._draw()

    def _wipe(self) -> None:
        if self._drawn:
            self.stream.write(f"\033[{self._drawn}A\r\033[J")
        self._drawn = 0

    def _draw(self) -> None:
        if self._live:
            size = shutil.get_terminal_size()
            # More lines than the terminal is high could not be wiped again.
            shown = self._live[: max(1, size.lines - 2)]
            for line in shown:
                self.stream.write(line[: size.columns - 1] + "\n")
            self._drawn = len(shown)
        self.stream.flush()


@dataclass(frozen=True)
class Step:
    """What one cell of a notebook took, or the start of its kernel, in seconds."""

    where: str
    wall: float
    processor: float


@dataclass(eq=False)
class Run:
    """One notebook while it runs: where it is, since when, and whether it hangs.

    ``watched`` is the process whose work is looked at, ``root`` the one that is ended
    with all its descendants; both are known only after a while.
    """

    name: str
    progress: Progress
    limits: Limits = field(default_factory=Limits)
    where: str = "its kernel starts"
    verdict: str | None = None
    root: int | None = None

    def __post_init__(self):
        self.steps: list[Step] = []
        self.began = self.since = time.monotonic()
        self.ended: float | None = None
        self.watched: int | None = None
        self._watch: Watch | None = None
        self._used, self._minutes = 0.0, 0
        if not self.progress.tty:
            self.progress.say(f"{self.name}  runs")

    def watch(self, pid: int) -> None:
        """From now on look at this process."""
        self.root = self.root or pid
        self.watched, self._used = pid, 0.0
        self._watch = Watch(pid, self.limits)

    def at(self, where: str) -> None:
        """The next cell begins."""
        self._close()
        self.where, self.since, self._minutes = where, time.monotonic(), 0
        if self._watch:
            self._watch.new_cell()

    def _close(self) -> None:
        used = own_seconds(self.watched)
        wall = time.monotonic() - self.since
        self.steps.append(Step(self.where, wall, max(0.0, used - self._used)))
        self._used = used

    def finish(self) -> None:
        """The notebook ran, or failed: its processes are gone or going."""
        self._close()
        self.ended = time.monotonic()
        self.watched = self.root = self._watch = None

    @property
    def wall(self) -> float:
        """The seconds since the notebook began, until it ended."""
        return (self.ended or time.monotonic()) - self.began

    @property
    def processor(self) -> float:
        """The processor time of the steps that are done, in seconds."""
        return sum(step.processor for step in self.steps)

    def look(self, now: float) -> None:
        """End the kernel if it hangs; tell a log, each minute, what still runs."""
        watch = self._watch
        if watch and watch.due(now) and (complaint := watch.complaint(now)):
            self.verdict = self.verdict or complaint
            self.end()
        minutes = int((now - self.since) // 60)
        if minutes > self._minutes and not self.progress.tty:
            self._minutes = minutes
            self.progress.say(f"{self.line(now)}, still at it")

    def end(self) -> None:
        """Kill the notebook's processes."""
        if self.root:
            end(self.root)

    def line(self, now: float) -> str:
        """The notebook's live line."""
        return f"{self.name}  {self.where}  {now - self.since:.0f} s"


def table(runs: list[Run], wall: float) -> list[str]:
    """Where the time went: the slowest notebooks and the slowest cells.

    Args:
        runs: notebooks that have ended.
        wall: seconds that all of them took together, side by side.
    """
    if not runs:
        return []
    alone = sum(run.wall for run in runs)
    processor = sum(run.processor for run in runs)
    lines = [
        f"where {wall:.0f} s went: {len(runs)} notebooks, {alone:.0f} s one after"
        f" the other, {processor:.0f} s of processor time",
        "    wall  processor",
    ]
    notebooks = [(run.wall, run.processor, run.name) for run in runs]
    cells = [
        (step.wall, step.processor, f"{run.name}  {step.where}")
        for run in runs
        for step in run.steps
    ]
    for rows in notebooks, cells:
        for seconds, used, name in sorted(rows, reverse=True)[:SHOWN]:
            lines.append(f"{seconds:6.1f} s  {used:7.1f} s  {name}")
        lines.append("")
    return lines[:-1]
