"""Drives Chromium without a window, over its DevTools protocol."""

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import websocket

from tools.course import CourseError

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
HANGS = 60  # seconds; no page takes so long


def found() -> str | None:
    """The Chromium of this machine, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a browser of its own; ``events`` is what it told since it opened.

    ``folder`` takes its profile. Use ``browser``, which closes it in any case.
    """

    def __init__(self, folder: Path, *options: str):
        profile = folder / "profile"
        command = [
            *(found(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--hide-scrollbars", "--disable-sync", "--disable-component-update"),
            *("--disable-background-networking", "--remote-debugging-port=0"),
            *("--remote-allow-origins=*", f"--user-data-dir={profile}", *options),
        ]
        self.process = subprocess.Popen(
            [*command, "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        told = profile / "DevToolsActivePort"
        wait_until(lambda: told.exists() and told.read_text().count("\n"))
        port, path = told.read_text().split()
        self.socket = websocket.create_connection(
            f"ws://127.0.0.1:{port}{path}", timeout=HANGS, suppress_origin=True
        )
        self.number, self.session, self.events = 0, None, []
        pages = self.send("Target.getTargets")["targetInfos"]
        page = next(page for page in pages if page["type"] == "page")
        attached = self.send(
            "Target.attachToTarget", targetId=page["targetId"], flatten=True
        )
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def close(self) -> None:
        """End the browser."""
        self.socket.close()
        self.process.terminate()
        self.process.wait(HANGS)

    def send(self, method: str, **params) -> dict:
        """Ask for something and wait for the answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise CourseError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def js(self, expression: str) -> object:
        """The value of an expression, when its promise is kept."""
        told = self.send(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        if failed := told.get("exceptionDetails"):
            raise CourseError(f"{expression[:80]}: {failed['text']}")
        return told["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true; only a hang ends it."""
        wait_until(lambda: self.js(f"Boolean({expression})"))

    def open(self, url: str) -> None:
        """Go to a page and wait until it is complete."""
        self.events.clear()
        self.send("Page.navigate", url=url)
        self.until(
            "document.readyState == 'complete' && location.href != 'about:blank'"
        )

    def size(self, width: int, height: int) -> None:
        """Give the window another size, in pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def asked(self) -> list[str]:
        """What the page asked of a network."""
        urls = [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith(("file:", "data:", "blob:"))]

    def complaints(self) -> list[str]:
        """What stands in the console."""
        lines = []
        for event in self.events:
            told = event["params"]
            match event["method"]:
                case "Runtime.exceptionThrown":
                    lines.append(told["exceptionDetails"]["text"])
                case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning"):
                    lines.append(str(told["args"]))
                case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                    lines.append(told["entry"]["text"])
        return lines


@contextlib.contextmanager
def browser(folder: Path, *options: str):
    """A browser, which is closed at the end; there has to be one."""
    opened = Browser(folder, *options)
    try:
        yield opened
    finally:
        opened.close()


def wait_until(true: Callable[[], object]) -> None:
    """Wait for something to become true; only a hang ends it."""
    end = time.monotonic() + HANGS
    while not true():
        if time.monotonic() > end:
            raise CourseError(f"a browser did nothing for {HANGS} s")
        time.sleep(0.05)
