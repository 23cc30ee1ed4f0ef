"""Instructions of one hit, counted, not timed: the same on a busy machine as on an idle one.

The server runs under callgrind. Once it is warm, the counters are set to nothing, requests are sent on one connection, and the counters are
read: so start and warming do not count. Several batches show how exact it is.
"""

import re
import socket
import subprocess
import tempfile
from pathlib import Path

import rounds

BATCHES, REQUESTS = 5, 1_000


class Counted:
    """A server under callgrind. Use as a context."""

    def __init__(self, start):
        self.folder = tempfile.TemporaryDirectory(prefix="bench-callgrind-")
        self.out = Path(self.folder.name, "callgrind.out")
        self.server = start(["valgrind", "--quiet", "--tool=callgrind", "--dump-line=no", f"--callgrind-out-file={self.out}"])

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *what):
        self.server.__exit__(*what)
        self.folder.cleanup()

    def tell(self, word):
        command = ["vgdb", f"--pid={self.server.process.pid}", word]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if run.returncode:
            raise SystemExit(f"callgrind does not hear {word!r}: {run.stderr}")

    def batch(self, path, requests):
        """(instructions of one request, the file with the profile)."""
        ask(self.server, path, 100)
        self.tell("zero")
        ask(self.server, path, requests)
        known = set(self.out.parent.iterdir())
        self.tell("dump")
        (dump,) = set(self.out.parent.iterdir()) - known
        count = re.search(r"^(?:summary|totals): (\d+)", dump.read_text(), re.M)[1]
        return int(count) / requests, dump


def ask(server, path, requests):
    """One request after another on one connection, as plain as can be."""
    host, port = server.address.split(":")
    text = f"GET {path} HTTP/1.1\r\nHost: {server.address}\r\nAccept: */*\r\n\r\n".encode()
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        for _ in range(requests):
            connection.sendall(text)
            answer = b""
            while not (head := re.match(rb"HTTP/1.1 200 .*?\r\ncontent-length: (\d+)\r\n.*?\r\n\r\n", answer, re.S | re.I)) or len(
                answer
            ) < head.end() + int(head[1]):
                part = connection.recv(65536)
                if not part:
                    raise SystemExit(f"{server.name} has hung up: {answer[:200]}")
                answer += part


def per_request(start, path, batches=BATCHES, requests=REQUESTS, warm=lambda server: None):
    """The instructions in user mode of one request as a spread, and what they were spent in: [(function, instructions)]."""
    with Counted(start) as counted:
        counted.server.wait_for(path, seconds=120)
        warm(counted.server)
        results = [counted.batch(path, requests) for _ in range(batches)]
        return rounds.spread(count for count, _ in results), functions(results[-1][1], requests)


def functions(dump, requests):
    """[(function, instructions of its own a request)], most first, from a callgrind dump."""
    names, costs, current, is_call = {}, {}, None, False
    for line in dump.read_text().splitlines():
        if line.startswith("fn="):
            number, _, name = line[3:].partition(" ")
            current = names.setdefault(number, name) if name else names[number]
        elif line.startswith("cfn="):
            number, _, name = line[4:].partition(" ")
            if name:
                names[number] = name
        elif line.startswith("calls="):
            is_call = True
        elif current and re.match(r"[+\-*\d]", line):
            if not is_call:
                costs[current] = costs.get(current, 0) + int(line.split()[1])
            is_call = False
    return sorted(((name, cost / requests) for name, cost in costs.items()), key=lambda pair: -pair[1])


def difference(command, few, many):
    """Instructions that one more call costs a program which is told how many to make: `command(calls)`."""
    with tempfile.TemporaryDirectory(prefix="bench-callgrind-") as folder:
        counts = []
        for calls in (few, many):
            out = Path(folder, str(calls))
            tool = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}"]
            subprocess.run([*tool, *map(str, command(calls))], check=True, capture_output=True, timeout=300)
            counts.append(int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M)[1]))
        return (counts[1] - counts[0]) / (many - few)
