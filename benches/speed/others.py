"""Lookups that are no hits: a crowd at one fill, a miss, a refusal; and the reading of a number, which is part of many."""

import json
import resource
import subprocess

import instructions
import servers
from rounds import spread

# The contact that has to be asked for, with all the patience there is.
ASKED = "/lookup?phone=%2B493090000000&deadline_ms=8000"
CALLERS = 10_000


def crowd(bench):
    """10,000 callers with one question, and the three kinds of lookup that are no hits."""
    raise_limit(CALLERS + 500)
    rows, yardstick = [], []
    for _ in range(max(5, bench.rounds // 2)):
        address = f"127.0.0.1:{servers.free_port()}"
        with bench.stocked(10, more=["--ask", address]) as service:
            rows.append(ask_together(bench, service, ["--path", ASKED, "--answer", address]))
        with bench.bare(more=["--hold"]) as bare:
            bare.process.stdout.readline()
            yardstick.append(ask_together(bench, bare, ["--path", "/", "--release", "/release"]))
    # On a machine that is busy with something else the last callers may come when the answer is there already.
    rows = [row for row in rows if row["collapsed"] >= 0.99 * CALLERS]
    if not rows:
        raise SystemExit("the callers never all waited for the one fill; the machine is too busy")
    times = lambda all_rows: {key: spread(row[key] for row in all_rows) for key in ("first_ms", "middle_ms", "last_ms")}
    return {"callcard": times(rows), "bare hyper": times(yardstick), "costs": costs(bench)}


def ask_together(bench, server, how):
    command = [bench.programs["crowd"], "--target", server.address, "--callers", CALLERS, *how]
    run = subprocess.run(servers.pinned(servers.LOAD_CORE, command), capture_output=True, text=True, timeout=60)
    if run.returncode:
        raise SystemExit(f"the crowd failed against {server.name}: {run.stderr}")
    return json.loads(run.stdout)


def costs(bench):
    """In process, without HTTP: time and instructions of a miss, of a caller who waits with others, of a refused call."""
    figures = {}
    # What, calls to count instructions between, calls to time.
    for what, few, many, timed in (("miss", 200, 1_000, 5_000), ("coalesced", 1_000, CALLERS, CALLERS), ("refused", 500, 2_500, 12_500)):
        command = lambda calls, what=what: [bench.programs["stocked"], "cost", what, calls]
        rows = [report_of(servers.pinned(servers.SERVER_CORE, command(timed))) for _ in range(bench.rounds)]
        keys = [key for key in ("us", "last_ms") if key in rows[0]]
        figures[what] = {key: spread(row[key] for row in rows) for key in keys}
        figures[what]["instructions"] = instructions.difference(command, few, many)
    return figures


def reading(bench):
    """Reading a number of any region, anew and remembered, and the memory of all numbering plans."""
    command = servers.pinned(servers.SERVER_CORE, [bench.programs["stocked"], "cost", "reading", 200_000])
    rows = [report_of(command) for _ in range(bench.rounds)]
    return {key: spread(row[key] for row in rows) for key in ("us", "p99_us", "memo_us", "bytes")}


def report_of(command):
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)


def raise_limit(files):
    """So many open files for us and for what we start."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        raise SystemExit(f"{files} open files are needed, {hard} are allowed; raise the limit (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
