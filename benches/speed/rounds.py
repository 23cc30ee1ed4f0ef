"""Measuring in rounds: every server is asked in turn, many times over, so that what the neighbours do to the machine hits all of them.

The steady figure is the server's CPU time per request, read from the kernel. Throughput is shown too, but on a shared machine it swings.
Figures are medians over the rounds; ratios are taken within each round and then their median, with the quartiles as the spread.
"""

import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from servers import LOAD_CORE, pinned


class Load:
    """One way to ask: paths, connections, open or closed loop."""

    def __init__(self, program, paths, seconds=2.0, connections=32, rate=None, close=False):
        self.file = tempfile.NamedTemporaryFile("w", prefix="bench-paths-")
        self.file.write("\n".join(paths))
        self.file.flush()
        self.program, self.seconds = program, seconds
        self.more = ["--connections", connections, *(["--rate", rate] if rate else []), *(["--close"] if close else [])]

    def ask(self, server, limit=None):
        """What came of it: the load generator's figures and the server's CPU seconds per million requests."""
        limit = ["--requests", limit] if limit else ["--seconds", self.seconds]
        command = [self.program, "--target", server.address, "--paths", self.file.name, *limit, *self.more]
        before = server.cpu_seconds()
        run = subprocess.run(pinned(LOAD_CORE, command), capture_output=True, text=True)
        if run.returncode:
            raise SystemExit(f"the load generator failed against {server.name}: {run.stderr}")
        result = json.loads(run.stdout)
        if result["errors"] or result["unanswered"] or not result["requests"]:
            raise SystemExit(f"{server.name} did not answer every request with 200: {run.stdout}")
        result["cpu_s"] = (server.cpu_seconds() - before) * 1e6 / result["requests"]
        result["per_s"] = result["requests"] / result["seconds"]
        return result


def alternate(servers, load, rounds):
    """{name: [result per round]}; the order turns from round to round."""
    for server in servers:
        load.ask(server)
    results = {server.name: [] for server in servers}
    for number in range(rounds):
        turn = number % len(servers)
        for server in servers[turn:] + servers[:turn]:
            results[server.name].append(load.ask(server))
    return results


def median(results, figure):
    return statistics.median(result[figure] for result in results)


class Ratio:
    """A figure of one server over another's, round by round."""

    def __init__(self, results, figure, one, other):
        pairs = zip(results[one], results[other], strict=True)
        values = sorted(a[figure] / b[figure] for a, b in pairs)
        self.value = statistics.median(values)
        self.low, _, self.high = statistics.quantiles(values, n=4)

    def __str__(self):
        return f"{self.value:.2f} ({self.low:.2f}–{self.high:.2f})"


def host():
    """The machine in a line, without its name."""
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")), "unknown CPU")
    return f"{model}, {info.count('processor')} cores shared with others"
