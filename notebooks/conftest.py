"""What nbval lacks: it compares figures too, is patient, and tells where it is."""

import json
import math
import os
import tempfile
from queue import Empty

import nbval.kernel
import nbval.plugin
import pytest
from jupyter_client import KernelManager
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile

from cnnlib import bands
from tools import figures, kernel, streams

# --- figures, their words, and the order of what a cell shows -------------------------

texts_agree = IPyNbCell.compare_outputs


def pngs(outputs) -> list[str]:
    return [o["data"]["image/png"] for o in outputs if "image/png" in o.get("data", {})]


def alts(outputs) -> list[str | None]:
    words = (o.get("metadata", {}).get("image/png", {}) for o in outputs)
    return [word.get("alt") for word in words]


def kinds(outputs) -> list:
    return [o.get("name") or sorted(o.get("data", ())) for o in outputs]


def all_agrees(cell, fresh, stored, skip_compare=None) -> bool:
    # What is left out is as nbval has it, but for a JPEG: it is the same to the byte.
    left_out = [key for key in cell.parent.skip_compare if key != "image/jpeg"]
    if not texts_agree(cell, fresh, stored, left_out):
        return False
    tags = cell.cell.metadata.get("tags", [])
    wrong = figures.complaint(pngs(stored), pngs(fresh), tags)
    if not wrong and kinds(stored) != kinds(fresh):
        wrong = f"the order was {kinds(stored)}, it is {kinds(fresh)}"
    if not wrong and alts(stored) != alts(fresh):
        wrong = f"the alternative texts were {alts(stored)}, they are {alts(fresh)}"
    if wrong:
        cell.comparison_traceback.append(wrong)
    return not wrong


IPyNbCell.compare_outputs = all_agrees
nbval.plugin.coalesce_streams = streams.joined

# --- what nbval passes: cells that never ran, and outputs that are replaced -----------


def pytest_collection_modifyitems(items):
    for item in items:  # nbval compares nothing where there is no count
        item.cell.execution_count = item.cell.execution_count or 0


REPLACING = ("clear_output", "update_display_data")


def heard(file, timeout=None, stream="iopub"):
    """A message of the kernel, refused where nbval would leave it out."""
    found = file.kernel.get_message(stream)
    if found["msg_type"] in REPLACING and file.compares:
        raise RuntimeError(f"{found['msg_type']} is not compared: show it once")
    return found


IPyNbFile.get_kernel_message = heard

# --- bands: of a measured value only the band is compared -----------------------------


def bands_alone(file):
    file.sanitize_patterns[bands.PATTERN] = " #"


IPyNbFile.setup_sanitize_files = bands_alone

# --- patience: nbval waits for seconds where a busy machine may take longer -----------


def start_kernel(startup_timeout, kernel_name, stderr, cwd):
    """Start a kernel of this Python, and wait until it answers or is dead."""
    folder = tempfile.TemporaryDirectory()
    manager = kernel.manager(folder.name, KernelManager)
    manager.folder = folder  # it lasts as long as the manager
    manager.start_kernel(stderr=stderr, cwd=cwd)
    tell(kernel=manager.provisioner.pid)
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=math.inf)
    return manager, client


def message(running, stream, timeout=None):
    """Wait for a message for as long as the kernel lives; its runner ends what hangs.

    Raises:
        RuntimeError: the kernel is dead.
    """
    channel = {"iopub": running.kc.get_iopub_msg, "shell": running.kc.get_shell_msg}
    while True:
        try:
            return channel[stream](timeout=2)
        except Empty:
            if not running.is_alive():
                raise RuntimeError("the kernel died") from None


nbval.kernel.start_new_kernel = start_kernel
RunningKernel.get_message = message
RunningKernel._ensure_iopub_up = lambda running: None  # wait_for_ready has seen to it

# --- where it is, told on the pipe of `python -m tools check` -------------------------


def tell(**event) -> None:
    if pipe := os.environ.get("COURSE_EVENTS"):
        os.write(int(pipe), json.dumps(event).encode() + b"\n")


def pytest_runtest_call(item):
    item.parent.compares = item.options["check"]
    tell(begins=item.cell_num)


def pytest_runtest_teardown(item, nextitem):
    if nextitem is None:
        tell(ends=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call" or not report.passed:
        reason = str(call.excinfo.value).partition("\n")[0] if call.excinfo else ""
        tell(outcome=report.outcome, reason=reason)
    running = item.parent.kernel
    if call.excinfo and (running is None or not running.is_alive()):
        item.session.shouldstop = "the kernel died"
    return report
