"""The servers that are compared: started pinned to one core, measured by the CPU time the kernel charges them, stopped again.

Each gives the same body and the same headers to the same requests. Whatever a server does by itself beyond that (its own log, its own
headers) is switched off where it can be, so that answering from a cache is what is compared.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

SERVER_CORE, LOAD_CORE = 0, 1
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(core, command):
    return ["taskset", "--cpu-list", str(core), *map(str, command)]


class Server:
    """A process group with an address. Use as a context; it is killed at the end, as a whole."""

    def __init__(self, name, command, port, folder=None):
        self.name, self.port, self.folder = name, port, folder
        self.address = f"127.0.0.1:{port}"
        self.errors = tempfile.TemporaryFile("w+")
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            pinned(SERVER_CORE, command), env=environment, stdout=subprocess.PIPE, stderr=self.errors, text=True, start_new_session=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def get(self, path, timeout=10):
        request = urllib.request.Request(f"http://{self.address}{path}", headers={"Accept": "*/*"})
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return response.headers, response.read()

    def wait_for(self, path, seconds=20):
        """Seconds from the start to the first 200."""
        while True:
            try:
                self.get(path)
                return time.monotonic() - self.started
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() - self.started > seconds:
                    self.errors.seek(0)
                    raise SystemExit(f"{self.name} does not answer: {error}\n{self.errors.read()}") from error
                time.sleep(0.002)

    def pids(self):
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    if int(fields[2]) == self.process.pid:
                        yield entry, fields

    def cpu_seconds(self):
        return sum(int(fields[11]) + int(fields[12]) for _, fields in self.pids()) / TICK


def bare(programs, headers, body, under=()):
    """The yardstick: a bare hyper server that gives these bytes to everybody."""
    folder = tempfile.mkdtemp(prefix="bench-bare-")
    file, port = Path(folder, "body"), free_port()
    file.write_bytes(body)
    headers = [part for name, value in headers for part in ("--header", f"{name}: {value}")]
    return Server("bare hyper", [*under, programs["bare"], "--listen", f"127.0.0.1:{port}", "--body", file, *headers], port, folder=folder)


def stocked(programs, contacts, under=()):
    """The service over made-up contacts, all of them in its cache; `stock` tells what they take."""
    port = free_port()
    command = [*under, programs["stocked"], "--contacts", contacts, "--listen", f"127.0.0.1:{port}"]
    server = Server(f"callcard, {contacts:,} contacts", command, port)
    server.stock = json.loads(server.process.stdout.readline())
    return server
