"""Drives Chromium without a window, over its DevTools protocol."""

import contextlib
import json
import shutil
import subprocess
import time

import pytest
import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
HANGS = 600  # seconds; no page takes so long
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason=f"seen in Chromium only; none of {NAMES} is here"
)


class Browser:
    """One page of a browser of its own; ``events`` is what it told since it opened."""

    def __init__(self, folder, *options):
        profile = folder / "profile"
        command = [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
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

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait(HANGS)

    def send(self, method, **params):
        """Ask for something and wait for the answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def js(self, expression):
        """The value of an expression, when its promise is kept."""
        found = self.send(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression):
        """Wait until an expression is true; only a hang ends it."""
        wait_until(lambda: self.js(f"Boolean({expression})"))

    def open(self, url):
        self.events.clear()
        self.send("Page.navigate", url=url)
        self.until(
            "document.readyState == 'complete' && location.href != 'about:blank'"
        )

    def size(self, width, height):
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def asked(self):
        """What the page asked of a network."""
        urls = [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith(("file:", "data:", "blob:"))]

    def complaints(self):
        """What stands in the console."""
        found = []
        for event in self.events:
            told = event["params"]
            match event["method"]:
                case "Runtime.exceptionThrown":
                    found.append(told["exceptionDetails"]["text"])
                case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning"):
                    found.append(str(told["args"]))
                case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                    found.append(told["entry"]["text"])
        return found


@contextlib.contextmanager
def browser(folder, *options):
    opened = Browser(folder, *options)
    try:
        yield opened
    finally:
        opened.close()


def wait_until(true):
    end = time.monotonic() + HANGS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
