"""JupyterLab, as `make lab` starts it, in a real browser: a notebook that is walked."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys

import nbformat
from browser import needs_browser
from small_course import ROOT, SmallCourse, code, wait_until

from tools.browser import browser

pytestmark = needs_browser
NOTEBOOK = "[...jupyterapp.shell.widgets('main')][0]"
# Twice: a kernel that has just been asked may not have begun.
IDLE = """(async () => {
  const {session} = [...jupyterapp.shell.widgets('main')][0].sessionContext;
  for (let i = 0; i < 2; i++) {
    await session.kernel.requestKernelInfo();
    while (session.kernel.status != 'idle') await new Promise(f => setTimeout(f, 50));
  }
})()"""
SHOWN = (
    """[...document.querySelectorAll('.widget-output img')].map(e => e.src).join()"""
)
DRAWN = """
from ipywidgets import IntSlider, interact
from matplotlib.figure import Figure
from IPython.display import display

def show(n=3):
    figure = Figure((1, 1))
    figure.subplots().bar(range(n), range(n))
    return figure

"""


@contextlib.contextmanager
def lab(course, folder):
    """The window of the first notebook, opened by `make lab`."""
    settings = {
        "LabApp": {"expose_app_in_browser": True},
        "ServerApp": {"allow_root": True},
    }
    folder.mkdir()
    (folder / "jupyter_lab_config.json").write_text(json.dumps(settings))
    env = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'notebooks'}"}
    env["BROWSER"] = "true"  # which opens nothing
    for name in ("JUPYTER_CONFIG", "JUPYTER_RUNTIME", "JUPYTER_DATA"):
        env[f"{name}_DIR"] = str(folder)
    for name in ("JUPYTERLAB_SETTINGS", "JUPYTERLAB_WORKSPACES"):
        env[f"{name}_DIR"] = str(folder / name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "log"
    with log.open("w") as file:
        command = [sys.executable, "-m", "tools", "lab", "--port", str(port)]
        server = subprocess.Popen(
            command, cwd=course.root, env=env, stdout=file, stderr=file
        )
    try:

        def address():
            assert server.poll() is None, log.read_text()
            return re.search(
                rf"http://127\.0\.0\.1:{port}/lab\S*token=\S+", log.read_text()
            )

        wait_until(address)
        with browser(folder) as window:
            window.send("Emulation.setFocusEmulationEnabled", enabled=True)
            window.size(1280, 900)
            window.open(address()[0])
            window.until("window.jupyterapp && document.querySelector('.jp-Cell')")
            window.js("jupyterapp.restored")
            window.until(f"{NOTEBOOK}?.sessionContext?.session?.kernel")
            yield window
    finally:
        server.terminate()
        server.wait()


def run_all(window):
    window.js(f"jupyterapp.shell.activateById({NOTEBOOK}.id)")
    window.js("jupyterapp.commands.execute('notebook:run-all-cells')")
    window.js(IDLE)


def failures(window):
    """What cells ended in an error with."""
    return window.js(
        "[...document.querySelectorAll('.jp-RenderedText[data-mime-type*=error]')]"
        ".map(e => e.innerText)"
    )


def moved(window):
    """Whether the picture changes when the first slider is moved."""
    handle = "document.querySelector('.widget-slider .noUi-handle')"
    window.until(handle)
    window.js(f"{handle}.scrollIntoView({{block: 'center'}})")
    window.until(SHOWN)
    before = window.js(SHOWN)
    window.js(f"{handle}.focus()")
    for kind in ("keyDown", "keyUp"):
        window.send("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="")
    window.js(IDLE)
    window.js("new Promise(f => requestAnimationFrame(() => setTimeout(f, 200)))")
    return window.js(SHOWN) != before


def test_a_notebook_runs_and_its_slider_draws_another_picture(tmp_path):
    course = SmallCourse(tmp_path)
    path = ROOT / "notebooks/04_hyperparameters.ipynb"
    shutil.copy(path, course.root / "notebooks")
    with lab(course, tmp_path / "jupyter") as window:
        run_all(window)
        assert failures(window) == []
        assert moved(window)
        assert not window.js("document.querySelector('.jp-toastContainer')?.innerText")
        assert not window.js("document.querySelector('.jp-Dialog')?.innerText")
        asked = [url for url in window.asked() if "//127.0.0.1:" not in url]
        assert asked == []


def test_a_slider_that_does_not_answer_is_seen(tmp_path):
    course = SmallCourse(tmp_path)
    cell = "display(IntSlider(3), show)\n_ = interact(show, n=[3])"
    course.add("00_sliders", code(DRAWN + cell))
    nb = course.read("00_sliders")
    nb.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(nb, course.notebook("00_sliders"))
    with lab(course, tmp_path / "jupyter") as window:
        run_all(window)
        assert not moved(window)
