"""Measuring in rounds: every server is asked in turn, many times over, so that what the neighbours do to the machine hits all of them.

The steady figure is the server's CPU time per request, read from the kernel. Throughput is shown too, but on a shared machine it swings.
A round during which the machine was busy with something else is measured again, within bounds. Figures are medians over the rounds; ratios
are taken within each round and then their median; the spread is the quartiles.
"""

import json
import os
import resource
import statistics
import subprocess
import tempfile
from pathlib import Path

from servers import LOAD_CORE, TICK, pinned

# Of the processors' time in a round, what others may have had.
DISTURBED = 0.08


class Load:
    """One way to ask: paths, connections, open or closed loop. Each round goes on with the paths where the last one ended."""

    def __init__(self, program, paths, seconds=1.0, connections=32, rate=None, close=False):
        self.file = tempfile.NamedTemporaryFile("w", prefix="bench-paths-")
        self.file.write("\n".join(paths))
        self.file.flush()
        self.program, self.seconds, self.paths, self.rate = program, seconds, len(paths), rate
        self.more = ["--connections", connections, *(["--rate", rate] if rate else []), *(["--close"] if close else [])]
        self.asked = {}

    def ask(self, server, limit=None):
        """What came of it: the load generator's figures and the server's CPU seconds per million requests."""
        limit = ["--requests", limit] if limit else ["--seconds", self.seconds]
        skip = self.asked.get(server.address, 0) % self.paths
        command = [self.program, "--target", server.address, "--paths", self.file.name, "--skip", skip, *limit, *self.more]
        others, before = others_busy(server), server.cpu()
        run = subprocess.run(pinned(LOAD_CORE, command), capture_output=True, text=True, timeout=700)
        if run.returncode:
            raise SystemExit(f"the load generator failed against {server.name}: {run.stderr}")
        after = server.cpu()
        result = json.loads(run.stdout)
        if result["errors"] or result["unanswered"] or not result["requests"]:
            raise SystemExit(f"{server.name} did not answer every request with 200: {run.stdout}")
        self.asked[server.address] = skip + result["requests"]
        user, kernel = (1e6 * (now - then) / result["requests"] for now, then in zip(after, before, strict=True))
        result |= {"cpu_s": user + kernel, "user_s": user, "kernel_s": kernel, "per_s": result["requests"] / result["seconds"]}
        result["others"] = (others_busy(server) - others) / (os.cpu_count() * result["seconds"])
        return result

    def is_undisturbed(self, result):
        return result["others"] < DISTURBED and (not self.rate or result["per_s"] > 0.97 * self.rate)


def others_busy(server):
    """CPU seconds that the machine has spent on anything but the server and our own children, stolen ones included."""
    busy = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _, _, irq, softirq, steal = map(int, busy)
    mine, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    own = mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime + sum(server.cpu())
    return (user + nice + system + irq + softirq + steal) / TICK - own


def alternate(servers, load, rounds):
    """{name: [result per round]}; the order turns from round to round. Disturbed rounds are measured again, at most half as many as wanted."""
    for server in servers:
        load.ask(server)
    kept, disturbed = [], []
    for number in range(rounds + rounds // 2):
        if len(kept) == rounds:
            break
        turn = number % len(servers)
        row = {server.name: load.ask(server) for server in servers[turn:] + servers[:turn]}
        (kept if all(map(load.is_undisturbed, row.values())) else disturbed).append(row)
    disturbed.sort(key=lambda row: max(result["others"] for result in row.values()))
    rows = kept + disturbed[: rounds - len(kept)]
    if len(kept) < rounds:
        print(f"    the machine was busy with something else in {rounds - len(kept)} of the {rounds} rounds that count")
    return {server.name: [row[server.name] for row in rows] for server in servers}, {"rounds": rounds, "disturbed": rounds - len(kept)}


def spread(values):
    """[median, lower quartile, upper quartile]."""
    values = sorted(values)
    if len(values) < 2:
        return [values[0]] * 3
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return [middle, low, high]


def summary(results):
    """{server: {figure: spread}}."""
    figures = ("cpu_s", "user_s", "kernel_s", "per_s", "p50_us", "p99_us")
    return {name: {figure: spread(row[figure] for row in rows) for figure in figures} for name, rows in results.items()}


def ratio(results, figure, one, other):
    """A figure of one server over another's, round by round."""
    pairs = zip(results[one], results[other], strict=True)
    return spread(a[figure] / b[figure] for a, b in pairs)


def machine():
    """The machine in words, without its name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    virtual = ", virtual" if any(line.startswith("flags") and " hypervisor" in line for line in lines) else ""
    release = ".".join(os.uname().release.split("-")[0].split(".")[:2])
    return f"{model}, {os.cpu_count()} cores{virtual}, Linux {release}"
