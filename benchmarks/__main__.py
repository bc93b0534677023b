"""All benchmarks, each in a process of its own, and every ratio in one table.

    python -m benchmarks [TOPIC …] [--record FILE]

``make bench`` runs all of them. Libraries that are not installed have no rows.
"""

import argparse
import importlib.util
import json
import multiprocessing
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata

from benchmarks.ratios import measured, place, table

TOPICS = ("mnist", "models", "resnet1001", "augment", "fooling", "imagenet")
PACKAGES = (
    "keras",
    "tensorflow",
    "numpy",
    "scipy",
    "torch",
    "albumentations",
    "cleverhans",
    "foolbox",
    "adversarial-robustness-toolbox",
)


def versions() -> dict[str, str]:
    """Python's version, and those of the packages that are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def main() -> None:
    """Run what was asked for, print the table, and keep it if asked to."""
    from tools.course import write  # both need what runs notebooks
    from tools.record import machine

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("topics", nargs="*", default=TOPICS, metavar="TOPIC")
    parser.add_argument("--record", metavar="FILE", type=place, help="keep the ratios")
    given = parser.parse_args()
    for topic in given.topics:
        if importlib.util.find_spec(f"benchmarks.{topic}") is None:
            sys.exit(f"error: no benchmark {topic!r}; there are {', '.join(TOPICS)}")
    told = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": f"python -m {' '.join(['benchmarks', *sys.argv[1:]])}",
        "machine": machine(),
        "versions": versions(),
        "load": round(os.getloadavg()[0], 1),
    }
    rows, start = [], time.monotonic()
    for topic in given.topics:
        print(f"\n{topic}\n{'=' * len(topic)}", flush=True)
        # A fresh process: what one leaves behind in Keras slows none of the others.
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as process:
            rows += process.submit(measured, topic).result()
    told["minutes"] = round((time.monotonic() - start) / 60, 1)
    told["rows"] = [asdict(row) for row in rows]
    print(f"\n{table(rows)}\n\n{told['minutes']} minutes")
    if given.record:
        write(given.record, json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
