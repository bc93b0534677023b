"""Opens JupyterLab on the first notebook."""

import os
import socket
import sys
from pathlib import Path

from tools.course import Course, CourseError

# What JupyterLab asks at its first start is answered here.
ANSWERS = Path(__file__).parent / "jupyterlab"


def free(port: int) -> bool:
    """Whether a server could listen on ``port`` of this machine."""
    with socket.socket() as probe:
        # Without this a port that was in use a minute ago counts as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def lab(course: Course, port: int) -> None:
    """Become JupyterLab, on the first notebook; Ctrl-C ends it.

    Raises:
        CourseError: the port is in use, or there is no notebook.
    """
    if not free(port):
        raise CourseError(f"port {port} is in use: make lab PORT={port + 1}")
    first = next(iter(course.notebooks()), None)
    if first is None:
        raise CourseError("there is no notebook in notebooks/")
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={course.root}",
        f"--LabApp.app_settings_dir={ANSWERS}",
        f"--LabApp.default_url=/lab/tree/notebooks/{first.name}",
    ]
    os.execv(sys.executable, command)
