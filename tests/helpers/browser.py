"""A headless Chromium, told what to do through a pipe of its own (the DevTools protocol): no port, no driver."""

import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
_QUIET += ["--disable-background-networking", "--disable-component-update"]
_PATIENCE = 120  # seconds


class Browser:
    """One page. `events` holds what it reported: requests, messages on the console, exceptions."""

    def __enter__(self) -> "Browser":
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs_in, self.to = os.pipe()
        self.back, theirs_out = os.pipe()
        # Chromium reads commands from 3 and answers on 4.
        shell = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        options = [*_QUIET, f"--user-data-dir={self.folder.name}", "--remote-debugging-pipe", "about:blank"]
        command, theirs = ["bash", "-c", shell, "bash", CHROMIUM, *options], (theirs_in, theirs_out)
        self.process = subprocess.Popen(command, pass_fds=theirs, stderr=subprocess.DEVNULL)
        for end in theirs:
            os.close(end)
        self.numbers, self.unread, self.events, self.session = itertools.count(1), b"", [], None
        target = self.say("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.say("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.say(f"{domain}.enable")
        return self

    def __exit__(self, *_) -> None:
        os.close(self.to)  # Chromium ends with its pipe
        self.process.wait(timeout=_PATIENCE)
        os.close(self.back)
        self.folder.cleanup()

    def open(self, page: Path) -> None:
        """Open a file, and wait until it and what it asks for are loaded."""
        self.say("Page.navigate", url=page.resolve().as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._hear())

    def run(self, script: str):
        """The value of a JavaScript expression; a promise is waited for."""
        answer = self.say("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def say(self, method: str, **parameters) -> dict:
        message = {"id": next(self.numbers), "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (answer := self._hear()).get("id") != message["id"]:
            self.events.append(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _hear(self) -> dict:
        end = time.monotonic() + _PATIENCE
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.back], [], [], max(0, end - time.monotonic()))
            assert ready, "Chromium does not answer"
            piece = os.read(self.back, 1 << 20)
            assert piece, "Chromium has gone"
            self.unread += piece
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)
