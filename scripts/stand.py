#!/usr/bin/env python3
"""The service in front of the sandbox CRM on loopback, for checks that need a running one and for trying out the recipes.

    scripts/stand.py [--binary target/debug/callcard] [--listen 127.0.0.1:8080]

Runs until Ctrl-C. It takes the keys of the recipes: `pbx-key` for text, `desk-key` for everything.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEYS = "pbx:text:pbx-key,desk:lookup:desk-key"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Stand:
    """Two processes; `close` ends them. A test that needs other settings starts another one; a variable that is None is not set."""

    def __init__(self, binary, listen=None, **variables):
        self.log = tempfile.TemporaryFile("w+")
        self.processes = []
        self.crm = f"http://127.0.0.1:{free_port()}"
        self.base = f"http://{listen or f'127.0.0.1:{free_port()}'}"
        self.admin = f"http://127.0.0.1:{free_port()}"
        environment = {
            "PATH": os.environ["PATH"],
            "CALLCARD_LISTEN": self.base.removeprefix("http://"),
            "CALLCARD_ADMIN_LISTEN": self.admin.removeprefix("http://"),
            "CALLCARD_KOMMO_URL": self.crm,
            "CALLCARD_KOMMO_TOKEN": "sandbox-token",
            "CALLCARD_API_KEYS": KEYS,
            "CALLCARD_DRAIN_DELAY": "0s",
            "CALLCARD_LOG": "warn",
            **variables,
        }
        environment = {name: value for name, value in environment.items() if value is not None}
        try:
            self._start([binary, "sandbox", "--listen", self.crm.removeprefix("http://"), "--contacts", "500"], environment)
            self._wait_for(self.crm + "/_sandbox")
            self._start([binary, "serve"], environment)
            self._wait_for(self.admin + "/readyz")
        except BaseException:
            self.close()
            raise

    def _start(self, command, environment):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=self.log, stdin=subprocess.DEVNULL)
        self.processes.append(process)

    def _wait_for(self, url, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.processes[-1].poll() is None:
            try:
                urllib.request.urlopen(url, timeout=2).close()
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        self.log.seek(0)
        raise AssertionError(f"{url} did not answer within {seconds} s:\n{self.log.read()}")

    def _control(self, method, path, body=None):
        request = urllib.request.Request(self.crm + "/_sandbox" + path, data=body and body.encode(), method=method)
        if body and body.startswith("{"):
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def searches(self):
        """How often the CRM was searched for a number so far."""
        return json.loads(self._control("GET", "/calls"))["counts"].get("contacts_query", 0)

    def calls(self):
        """What the CRM was asked so far."""
        return json.loads(self._control("GET", "/calls"))["calls"]

    def fault(self, rule):
        self._control("POST", "/faults", rule)

    def heal(self):
        self._control("DELETE", "/faults")

    def add_contact(self, name, *phones):
        return self._control("POST", "/contacts", json.dumps({"name": name, "phones": phones}))

    def rename(self, contact, name):
        self._control("PATCH", f"/contacts/{contact}", json.dumps({"name": name}))

    def close(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            process.wait(timeout=30)
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=ROOT / "target/debug/callcard", type=Path)
    parser.add_argument("--listen", default="127.0.0.1:8080")
    arguments = parser.parse_args()
    with Stand(str(arguments.binary.resolve(strict=True)), arguments.listen) as stand:
        print(f"callcard  {stand.base}/pop?phone=%2B14155550123   (any user, password desk-key)\nCRM       {stand.crm}/_sandbox")
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
