"""A headless Chromium for tests of a page, driven over its debugging pipe (Chrome DevTools Protocol, a NUL a message).

It keeps what the page asked for and complained about. Each wait ends in an error after a minute.
"""

import fcntl
import json
import os
import select
import shutil
import subprocess
import time

PATIENCE_SECONDS = 60
NAMES = ("chromium", "chromium-headless-shell", "chrome-headless-shell", "google-chrome")


def find():
    """The path of one, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """With one empty page. To be closed."""

    def __init__(self, path, profile):
        # The browser reads descriptor 3 and writes 4; ours lie above both.
        (read_asked, write_asked), (read_told, write_told) = ([self._high(end) for end in os.pipe()] for _ in range(2))
        self._asked, self._told = write_asked, read_told
        command = [path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{read_asked} 4>&{write_told}', "browser", *command],
            pass_fds=(read_asked, write_told), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read_asked)
        os.close(write_told)
        self._session = None
        self._last = 0
        self._rest = b""
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    @staticmethod
    def _high(descriptor):
        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 16)
        os.close(descriptor)
        return high

    def close(self):
        self._process.kill()
        self._process.wait()
        os.close(self._asked)
        os.close(self._told)

    def call(self, method, **parameters):
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._asked, json.dumps(message).encode() + b"\0")
        answer = self._wait(lambda told: told.get("id") == self._last)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, address):
        """Until it has been loaded."""
        self.call("Page.navigate", url=address)
        if not self._heard("Page.loadEventFired"):
            self._wait(lambda told: told.get("method") == "Page.loadEventFired")

    def evaluate(self, expression):
        """The value, or what it promises."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def complaints(self):
        """Uncaught exceptions, and what the console was told of errors."""
        wrong = [event["params"] for event in self._heard("Runtime.exceptionThrown")]
        wrong += [event["params"] for event in self._heard("Runtime.consoleAPICalled")
                  if event["params"]["type"] in ("error", "warning", "assert")]
        wrong += [event["params"] for event in self._heard("Log.entryAdded")
                  if event["params"]["entry"]["level"] in ("error", "warning")]
        return wrong

    def requests(self):
        """The addresses that it asked for, those that hold their own contents excepted."""
        asked = [event["params"]["request"]["url"] for event in self._heard("Network.requestWillBeSent")]
        return [address for address in asked if not address.startswith("data:")]

    def _heard(self, method):
        return [event for event in self.events if event.get("method") == method]

    def _wait(self, is_wanted):
        """The first message of that kind. What comes before it is kept, and so is it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            while b"\0" in self._rest:
                text, self._rest = self._rest.split(b"\0", 1)
                told = json.loads(text)
                self.events.append(told)
                if is_wanted(told):
                    return told
            ready, _, _ = select.select([self._told], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser says nothing")
            heard = os.read(self._told, 1 << 16)
            if not heard:
                raise EOFError("the browser has ended")
            self._rest += heard
