"""Experiments that settle claims: ``experiments/NAME.toml``, kept in ``results/``.

An experiment is plain data: arms, each of which differs from another in one thing, the
images, seeds, and rates. Each arm's rate is the one of ``rates`` with which, from
``rate_seed``, it reads most of the held-out images after its last epoch; then every
seed is run, and the test images are looked at once, after its last epoch.

While it runs, ``build/records/NAME`` holds a folder for each run with its checkpoint.
"""

import contextlib
import difflib
import io
import json
import math
import os
import platform
import re
import shutil
import time
import tomllib
import urllib.parse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cnnlib import claims
from tools.course import Course, CourseError, kernel_env, write
from tools.lock import alone
from tools.progress import Progress
from tools.record import machine

KEYS = {
    "question": str,
    "data": str,
    "held_out": int,
    "rates": list,
    "rate_seed": int,
    "seeds": list,
    "figure": str,
    "all": dict,
    "arms": dict,
}
WORDS = ("question", "claim", "figure")  # which change no number
CURVES = {"loss": "training loss", "val_loss": "loss on held-out images"}
CURVES |= {"accuracy": "training accuracy", "val_accuracy": "held-out accuracy"}
MEASURES = {"train_accuracy": "images learned from", "test_accuracy": "test images"}
MEASURES |= {"attacked_accuracy": "attacked test images"}


@dataclass(frozen=True)
class Experiment:
    """What ``experiments/NAME.toml`` says; ``arms`` are whole, with what all have."""

    name: str
    question: str
    data: str
    held_out: int
    rates: list[float]
    rate_seed: int
    seeds: list[int]
    figure: str
    arms: dict[str, dict]
    claim: str | None = None

    @classmethod
    def read(cls, path: Path) -> "Experiment":
        """Read a file.

        Raises:
            CourseError: it is no experiment; the line says in what.
        """
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise CourseError(f"{path.name}: {error}") from None
        if lacks := [key for key in KEYS if key not in found]:
            raise CourseError(f"{path.name} lacks {', '.join(lacks)}")
        if more := sorted(set(found) - {*KEYS, "claim"}):
            raise CourseError(
                f"{path.name} says {', '.join(more)}, which nothing reads"
            )
        for key, kind in KEYS.items():
            if not isinstance(found[key], kind) or found[key] in ([], {}, ""):
                raise CourseError(f"{path.name}: {key} = {found[key]!r} cannot be used")
        if not all(isinstance(arm, dict) for arm in found["arms"].values()):
            raise CourseError(f"{path.name}: an arm is name = {{ setting = value }}")
        common = found.pop("all")
        found["arms"] = {name: common | arm for name, arm in found["arms"].items()}
        made = cls(path.stem, **found)
        if wrong := made._wrong():
            raise CourseError(f"{path.name}: {wrong}")
        return made

    def _wrong(self) -> str:
        """What is wrong with it, in a line; empty where nothing is."""
        if self.claim is not None and self.claim not in claims.LEDGER:
            return f"the talk has no claim {self.claim!r}"
        if not all(isinstance(seed, int) and seed >= 0 for seed in self.seeds):
            return f"seeds are whole numbers from 0; given {self.seeds}"
        if not all(isinstance(rate, float) and rate > 0 for rate in self.rates):
            return f"rates are decimal numbers above 0; given {self.rates}"
        known = ", ".join(CURVES | MEASURES)
        if self.figure not in CURVES | MEASURES:
            return f"no figure is called {self.figure!r}: {known}"
        epochs = {arm.get("epochs") for arm in self.arms.values()}
        if self.figure in CURVES and len(epochs) > 1:
            return f"figure = {self.figure!r} takes arms of as many epochs"
        attacked = all(arm.get("epsilon") for arm in self.arms.values())
        if self.figure == "attacked_accuracy" and not attacked:
            return "an attack takes epsilon"
        if len(self.rates) > 1 and self.rate_seed in self.seeds:
            return f"seed {self.rate_seed} chooses the rates, and is among the seeds"
        for name, arm in self.arms.items():
            others = [other for key, other in self.arms.items() if key != name]
            if not any(len(differences(arm, other)) == 1 for other in others):
                return f"arm {name!r} differs from no other in one thing alone"
        return ""

    def setting(self) -> dict:
        """What its numbers depend on."""
        return _setting(asdict(self))


def _setting(asked: dict) -> dict:
    """What the numbers of an experiment, as it was asked for, depend on."""
    return {key: value for key, value in asked.items() if key not in WORDS}


def differences(one: dict, other: dict) -> list[str]:
    """The names of what differs."""
    return sorted(k for k in one.keys() | other.keys() if one.get(k) != other.get(k))


def find(course: Course, name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        CourseError: there is none; the line names those there are.
    """
    paths = {p.stem: p for p in sorted((course.root / "experiments").glob("*.toml"))}
    if name not in paths:
        near = difflib.get_close_matches(name, paths)
        hint = f"; the nearest is {near[0]}" if near else ""
        known = ", ".join(paths) or "none"
        raise CourseError(f"no experiment is called {name!r}{hint}. Known: {known}", 2)
    return Experiment.read(paths[name])


def command(name: str) -> str:
    """The command that makes an experiment's record."""
    return f"make record CLAIM={name}"


def records(course: Course) -> dict[str, list[tuple[str, Path | None]]]:
    """For each claim that has experiments the command of each, and its record.

    The record is a file of ``results/``, None where it was not made yet.
    """
    found: dict[str, list[tuple[str, Path | None]]] = {}
    for path in sorted((course.root / "experiments").glob("*.toml")):
        if claim := Experiment.read(path).claim:
            file = course.root / "results" / f"{path.stem}.json"
            pair = command(path.stem), file if file.exists() else None
            found.setdefault(claim, []).append(pair)
    return found


def record(course: Course, name: str, progress: Progress) -> None:
    """Run an experiment, or go on with it, and write its record and its figure.

    Raises:
        CourseError: there is no such experiment, it cannot be run, it has its record
            already, or what was begun is another one.
    """
    experiment = find(course, name)
    kernel_env()  # is checked
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with alone(course, f"record-{name}", progress):
        _record(course, experiment, progress)


def _record(course: Course, experiment: Experiment, progress: Progress) -> None:
    file = course.root / "results" / f"{experiment.name}.json"
    if file.exists():
        before = _read(file)
        other = differences(
            _setting(before.get("experiment", {})), experiment.setting()
        )
        if not other:
            raise CourseError(
                f"{file.name} is this experiment's record, of {before['date'][:10]}; "
                "move it away to run it once more"
            )
        progress.say(
            f"{file.name} is the record of another experiment, which differs in "
            f"{', '.join(other)}: begun anew, it is replaced at the end"
        )
    import keras
    import numpy as np

    from tools import arms

    versions = {
        "python": platform.python_version(),
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "numpy": np.__version__,
    }
    folder = course.build / "records" / experiment.name
    _begun(folder, experiment.setting() | versions)
    with _refused(experiment.name):
        images = arms.Images(experiment.data, experiment.held_out)
        made = {name: arms.Arm(how, images) for name, how in experiment.arms.items()}
        clock = Clock(experiment, folder, made, progress)
    found = {}
    for name, arm in made.items():

        def run(rate, seed, *, test, name=name, arm=arm):
            place = folder / _plain(name) / f"{rate:g}-{seed}"
            return arm.run(place, rate, seed, test, clock.ticker(name, rate, seed))

        tried, seed = [], experiment.rate_seed
        if len(experiment.rates) > 1:
            tried = [run(rate, seed, test=False) for rate in experiment.rates]
        rate = max(tried, key=_success)["rate"] if tried else experiment.rates[0]
        chosen = [run(rate, seed, test=True) for seed in experiment.seeds]
        found[name] = {"rate": rate, "tried": tried, "runs": chosen}
    data = "CNNLIB_DATA=data " * ("CNNLIB_DATA" in os.environ)
    result = {
        "experiment": asdict(experiment),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": data + command(experiment.name),
        "machine": machine(),
        "versions": versions,
        "arms": _rounded(found),
    }
    file.parent.mkdir(exist_ok=True)
    draw(result).savefig(picture := io.BytesIO(), format="png")
    write(file.with_suffix(".png"), picture.getvalue())
    write(file, _text(result))
    shutil.rmtree(folder)
    for name, arm in result["arms"].items():
        progress.say(f"{name}, rate {arm['rate']:g}")
        for measure in measures(arm):
            values = " ".join(f"{run[measure]:.4f}" for run in arm["runs"])
            progress.say(f"    {measure:18} {values}")


def _begun(folder: Path, asked: dict) -> None:
    """See that what was begun, if anything was, is the same; else begin."""
    file = folder / "begun.json"
    if not file.exists():
        # A process that was killed while it removed the folder left the rest of it.
        shutil.rmtree(folder, ignore_errors=True)
        write(file, json.dumps(asked))
        return
    if other := differences(_read(file), asked):
        raise CourseError(
            f"{folder} holds another run, which differs in {', '.join(other)}: delete "
            "that folder to begin anew"
        )


def _read(file: Path) -> dict:
    """The JSON of a file, or one line that says that it is none."""
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except ValueError:
        raise CourseError(f"{file} is damaged; delete it to begin anew") from None


@contextlib.contextmanager
def _refused(name: str) -> Iterator[None]:
    """What data, networks and training refuse, in one line."""
    try:
        yield
    except (TypeError, ValueError, OSError) as error:
        told = " ".join(str(error).split())
        raise CourseError(f"experiments/{name}.toml: {told}") from None


class Clock:
    """Says how long it will take, then what is left, from measured steps and epochs."""

    def __init__(self, experiment: Experiment, folder: Path, made, progress: Progress):
        self.progress, self.epochs = progress, {}
        runs = len(experiment.seeds)
        runs += len(experiment.rates) * (len(experiment.rates) > 1)
        for name, arm in made.items():
            self.epochs[name] = arm.training["epochs"]
        kept = {name: _kept(folder / _plain(name)) for name in made}
        progress.say("a few steps of each arm are timed ...")
        self.each = {name: arm.seconds() for name, arm in made.items()}
        self.left = {n: runs * self.epochs[n] - kept[n] for n in made}
        whole = sum(runs * epochs for epochs in self.epochs.values())
        progress.say(
            f"{experiment.name}: {len(made)} arms of {runs} runs, {whole} epochs, "
            f"{sum(kept.values())} of them done: {_about(self._seconds())} here; "
            f"killed at any time, {command(experiment.name)} goes on"
        )
        self.start, self.first = time.monotonic(), self._seconds()

    def _seconds(self) -> float:
        return sum(self.each[name] * self.left[name] for name in self.left)

    def ticker(self, name: str, rate: float, seed: int):
        """What a run of an arm calls after each of its epochs."""

        def tick(epoch: int, logs: dict) -> None:
            self.left[name] -= 1
            used, ahead = time.monotonic() - self.start, self._seconds()
            pace = used / max(self.first - ahead, 1e-9)
            told = ", ".join(f"{k} {v:.4g}" for k, v in logs.items())
            self.progress.say(
                f"{name}, rate {rate:g}, seed {seed}, epoch {epoch} of "
                f"{self.epochs[name]}: {told}; {_about(ahead * pace)} left"
            )

        return tick


def _kept(folder: Path) -> int:
    """How many epochs of an arm are done."""
    from cnnlib import runs

    return sum(len(runs.kept(place)) for place in folder.glob("*"))


def _about(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 90:
        return f"about {max(1, math.ceil(minutes))} min"
    return f"about {minutes / 60:.1f} h"


def _plain(name: str) -> str:
    """An arm's name as that of a folder, another one's for each."""
    return urllib.parse.quote(name, safe=" ")


def _success(run: dict) -> tuple[float, float]:
    """How well a run reads the held-out images after its last epoch."""
    accuracy, loss = run["epochs"]["val_accuracy"][-1], run["epochs"]["val_loss"][-1]
    return accuracy, -loss if math.isfinite(loss) else -math.inf


def _rounded(found):
    """Six digits of every number; null where a loss is none."""
    if isinstance(found, dict):
        return {key: _rounded(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_rounded(value) for value in found]
    if isinstance(found, float):
        return float(f"{found:.6g}") if math.isfinite(found) else None
    return found


def _text(result: dict) -> str:
    """JSON with a line for each list of numbers, not for each number."""

    def joined(found: re.Match) -> str:
        return f"[{', '.join(found[1].replace(',', ' ').split())}]"

    text = json.dumps(result, indent=1, ensure_ascii=False)
    return re.sub(r"\[\s+([-\d.,\se]*?)\s+\]", joined, text) + "\n"


def measures(arm: dict) -> list[str]:
    """What each run of an arm was measured by, once, after its last epoch."""
    return [key for key in arm["runs"][0] if key.endswith("_accuracy")]


def draw(result: dict):
    """The record's figure: a measure as dots, or a column over the epochs."""
    from cnnlib import plots

    figure, arms = result["experiment"]["figure"], result["arms"]
    told = f"{result['experiment']['question']} {', '.join(arms)}, all seeds"
    if figure in MEASURES:
        places = {name: name.replace(", ", ",\n") for name in arms}  # side by side
        found = {
            name: [100 * run[figure] for run in arms[name]["runs"]] for name in arms
        }
        return plots.dots(
            {places[name]: values for name, values in found.items()},
            ylabel=f"{MEASURES[figure]} read [%]",
            alt=f"{told}: {MEASURES[figure]} read, in per cent.",
        )
    runs = {
        name: [
            [math.nan if v is None else v for v in run["epochs"][figure]]
            for run in arm["runs"]
        ]
        for name, arm in arms.items()
    }
    epochs = range(1, 1 + len(next(iter(runs.values()))[0]))
    about = {"xlabel": "epoch", "ylabel": CURVES[figure]}
    return plots.bands(epochs, runs, **about, alt=f"{told}: {CURVES[figure]}.")
