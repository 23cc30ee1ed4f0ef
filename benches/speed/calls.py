"""System calls of one hit, as strace sees them on a warm server, on one connection."""

import signal
import subprocess
import tempfile
import time

from instructions import ask

REQUESTS = 2_000


def per_request(server, path):
    """({system call: how many a request}, all of them together)."""
    ask(server, path, 100)
    with tempfile.NamedTemporaryFile("r", prefix="bench-strace-") as out:
        pids = [part for entry, _ in server.processes() for part in ("-p", entry.name)]
        strace = subprocess.Popen(["strace", "-f", "-c", "-U", "calls,name", "-o", out.name, *pids], stderr=subprocess.PIPE, text=True)
        # It says so when it is attached, once for each process.
        for _ in range(len(pids) // 2):
            strace.stderr.readline()
        time.sleep(0.2)
        ask(server, path, REQUESTS)
        strace.send_signal(signal.SIGINT)
        strace.communicate(timeout=20)
        rows = [line.split() for line in out.read().splitlines()]
    counts = {row[1]: int(row[0]) / REQUESTS for row in rows if len(row) == 2 and row[0].isdigit() and row[1] != "total"}
    if not counts:
        raise SystemExit(f"strace could not count the system calls of {server.name}")
    return {name: count for name, count in counts.items() if count > 0.02}, sum(counts.values())
