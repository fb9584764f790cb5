# SPDX-License-Identifier: MIT
"""One headless Chromium, spoken to in the DevTools protocol over two pipes; nothing is installed for it.

``--remote-debugging-pipe`` reads commands from descriptor 3 and writes answers and events to descriptor 4, each a JSON
document that ends with a NUL. One thread; every wait has an end, after which the browser is killed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

PATH = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 120.0  # seconds for an answer

# bash, because a descriptor above 9 can be named in its redirections.
_START = 'exec "$0" "$@" 3<&"$COMMANDS" 4>&"$ANSWERS"'
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND"),
)


class BrowserError(RuntimeError):
    """The browser does not run here, or does not answer."""


class Page:
    """A page of the browser."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self.console: list[str] = []  # what it complained of
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Send a command to the page and return its answer."""
        answer = self._browser.call(method, self._session, **arguments)
        for event in self._browser.take(self._session):
            self._note(event)
        return answer

    def _note(self, event: dict[str, Any]) -> None:
        told = event["params"]
        if event["method"] == "Runtime.exceptionThrown":
            self.console.append(json.dumps(told["exceptionDetails"]))
        elif event["method"] == "Log.entryAdded":
            self.console.append(str(told["entry"]["text"]))
        elif event["method"] == "Runtime.consoleAPICalled":
            self.console.append(json.dumps(told["args"]))

    def look(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """Set the size of the window in CSS pixels, and the colours that the system prefers."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, address: str) -> None:
        """Open an address and wait until it is loaded and painted."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && performance.getEntriesByType('paint').length > 0")

    def value(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {json.dumps(answer['exceptionDetails'])[:500]}")
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.value(f"Boolean({condition})"):
            if time.monotonic() > deadline:
                raise BrowserError(f"{condition}: not so after {PATIENCE:g} s")
            time.sleep(0.02)

    def press(self, key: str, text: str = "", code: int = 0) -> None:
        """Press and release a key: its name, the text that it types, its Windows code."""
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **extra)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as a PNG."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))


class Browser:
    """A browser of its own, with an empty profile; a context manager.

    Raises:
        BrowserError: there is none, or it does not start.

    """

    def __init__(self, path: str | None = PATH) -> None:
        if path is None:
            raise BrowserError("no Chromium on this machine")
        self._profile = tempfile.TemporaryDirectory(prefix="perfcore-chromium-", ignore_cleanup_errors=True)
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        self._rest, self._number = b"", 0
        self._events: dict[str, list[dict[str, Any]]] = {}
        self._process = subprocess.Popen(
            ["bash", "-c", _START, path, *_OPTIONS, f"--user-data-dir={self._profile.name}"],
            env=os.environ | {"COMMANDS": str(commands), "ANSWERS": str(answers)},
            pass_fds=(commands, answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands)
        os.close(answers)

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for descriptor in (self._commands, self._answers):
            os.close(descriptor)
        self._profile.cleanup()

    def page(self) -> Page:
        """Return a new page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session)

    def take(self, session: str) -> list[dict[str, Any]]:
        """Return the events of a page that have come, once."""
        return self._events.pop(session, [])

    def call(self, method: str, session: str | None = None, **arguments: Any) -> dict[str, Any]:
        """Send a command and return its answer."""
        self._number += 1
        command: dict[str, Any] = {"id": self._number, "method": method, "params": arguments}
        if session is not None:
            command["sessionId"] = session
        try:
            rest = memoryview(json.dumps(command).encode() + b"\0")
            while rest:
                rest = rest[os.write(self._commands, rest) :]
        except BrokenPipeError:
            raise BrowserError("the browser has ended") from None
        deadline = time.monotonic() + PATIENCE
        while True:
            message = self._read(deadline)
            if message.get("id") == self._number:
                if "error" in message:
                    raise BrowserError(f"{method}: {message['error'].get('message')}")
                return dict(message["result"])
            if "method" in message:
                self._events.setdefault(message.get("sessionId", ""), []).append(message)

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise BrowserError(f"the browser does not answer for {PATIENCE:g} s")
            part = os.read(self._answers, 1 << 20)
            if not part:
                raise BrowserError("the browser has ended")
            self._rest += part
        text, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(text))
