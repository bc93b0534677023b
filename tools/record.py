"""Records a full-size run: what came out, on which machine, with which versions."""

import ast
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from nbclient import NotebookClient

from tools.course import CourseError, kernel_env, write
from tools.execute import executed
from tools.progress import Run
from tools.runner import Runner

# Only what the notebook itself has loaded: the numbers are about that.
VERSIONS = """(lambda loaded: __import__("json").dumps(
    ({"backend": loaded["keras"].backend.backend()} if "keras" in loaded else {})
    | {n: loaded[n].__version__ for n in ("keras", "tensorflow", "jax", "torch",
       "numpy") if n in loaded}))(__import__("sys").modules)"""


def ask(client: NotebookClient, expression: str) -> object:
    """Evaluate an expression that makes JSON in a notebook's living kernel."""
    message = client.kc.execute("", silent=True, user_expressions={"it": expression})
    answer = client.wait_for_reply(message)["content"]["user_expressions"]["it"]
    if answer["status"] != "ok":
        raise CourseError(f"{answer['ename']}: {answer['evalue']}")
    return json.loads(ast.literal_eval(answer["data"]["text/plain"]))


def machine() -> dict[str, object]:
    """What the numbers were measured on."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        models = (x.partition(":")[2].strip() for x in lines if "model name" in x)
        cpu = next(models, cpu)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpus = ""
    if shutil.which("nvidia-smi"):
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        gpus = subprocess.run(command, capture_output=True, text=True).stdout
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "os": f"{platform.system()} {platform.release().partition('-')[0]}",
        "accelerator": ", ".join(gpus.splitlines()) or "none",
    }


def _measured(path: Path, env: dict[str, str], run: Run) -> tuple:
    """Run a notebook; return its ``runs``, their medians, all versions.

    Raises:
        CourseError: the notebook fails, or leaves no such list.
    """
    with executed(path, env, run) as (_, client):
        try:
            runs = ask(client, '__import__("json").dumps(runs)')
            names = dict.fromkeys(["seed", "accuracy", "seconds", *runs[0]])
            columns = {name: [one[name] for one in runs] for name in names}
            del columns["seed"]
            medians = {k: statistics.median(column) for k, column in columns.items()}
        except (CourseError, LookupError, TypeError) as error:
            raise CourseError(
                f"{path.stem}: a recorded notebook leaves a list `runs` of dicts "
                f"with seed, accuracy and seconds ({error})"
            ) from None
        return runs, medians, ask(client, VERSIONS)


def record(runner: Runner, name: str) -> None:
    """Run a notebook at full scale and write ``results/NAME.json`` from its ``runs``.

    Raises:
        CourseError: the notebook fails, or leaves no list ``runs`` of dicts with
            ``seed``, ``accuracy`` and ``seconds``.
    """
    course = runner.course
    path = course.notebook(name)
    env = kernel_env() | {"CNNLIB_SCALE": "full"}
    with contextlib.closing(runner.run([path], _measured, env)) as done:
        for _, outcome in done:
            if isinstance(outcome, CourseError):
                raise outcome
            runs, medians, versions = outcome
    data = "CNNLIB_DATA=data " * ("CNNLIB_DATA" in os.environ)
    result = {
        "notebook": path.stem,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"{data}make record NOTEBOOK={path.stem}",
        "machine": machine(),
        "versions": {"python": platform.python_version(), **versions},
        "runs": runs,
        "median": medians,
    }
    write(
        course.root / "results" / f"{path.stem}.json",
        json.dumps(result, indent=1) + "\n",
    )
    print("seed      ", *(f"{name:>10}" for name in medians))
    for row in [*runs, {"seed": "median"} | medians]:
        print(f"{row['seed']:<10}", *(f"{row[name]:>10.4g}" for name in medians))
