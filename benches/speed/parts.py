"""The parts of the measurement, each a function from a `Bench` to figures. Spreads are lists: median, lower and upper quartile.

Every part is bounded by its rounds, takes the machine for itself only while it runs, and ends what it has started.
"""

import contextlib
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import calls
import instructions
import servers
from others import crowd, reading
from rounds import Load, alternate, ratio, spread, summary

PATH = "/lookup?phone=%2B493010000007"
MANY, MILLION, THOUSAND = 100_000, 1_000_000, 1_000
# The connection writes these by itself.
OWN = {"date", "content-length", "connection"}


def path(contact):
    return f"/lookup?phone=%2B4930{10_000_000 + contact:08}"


def paths(contacts):
    """All of them once, in no order."""
    order = list(range(contacts))
    random.Random(8).shuffle(order)
    return [path(contact) for contact in order]


class Bench:
    """Programs, and the answer that everybody gives."""

    def __init__(self, programs, rounds, seconds):
        self.programs, self.rounds, self.seconds = programs, rounds, seconds
        with servers.stocked(programs, 10) as server:
            server.get(PATH)
            headers, self.body = server.get(PATH)
        self.headers = [(name, value) for name, value in headers.items() if name.lower() not in OWN]

    def bare(self, under=(), more=()):
        return servers.bare(self.programs, self.headers, self.body, under, more)

    def stocked(self, contacts, under=(), more=()):
        return servers.stocked(self.programs, contacts, under, more)

    def load(self, paths, **how):
        return Load(self.programs["load"], paths, **{"seconds": self.seconds, **how})


def compare(bench, contacts, load, against, more=()):
    """Callcard with so many contacts against the others, in turn."""
    with contextlib.ExitStack() as stack:
        bare = stack.enter_context(bench.bare())
        bare.wait_for(PATH)
        starts = {
            "nginx": lambda: servers.nginx(bare),
            "nginx, open_file_cache": lambda: servers.nginx(bare, open_files=True),
            "Varnish": lambda: servers.varnish(bare),
        }
        others = [stack.enter_context(starts[name]()) for name in against if name != "bare hyper"]
        callcard = stack.enter_context(bench.stocked(contacts))
        callcard.name = "callcard"
        for server in [*others, callcard]:
            server.wait_for(PATH)
            if load.paths > 1:
                # Everything is in the cache before it is measured.
                Load(bench.programs["load"], Path(load.file.name).read_text().split("\n")).ask(server, limit=load.paths)
        results, kept = alternate([callcard, *([bare] if "bare hyper" in against else []), *others], load, bench.rounds)
    figures = {"servers": summary(results), "ratios": {}, **kept}
    for name in against:
        figures["ratios"][name] = {figure: ratio(results, figure, name, "callcard") for figure in ("cpu_s", "p99_us", "per_s")}
    return figures


def one_key(bench):
    """Hits of one number, as fast as the server goes."""
    return compare(bench, 10, bench.load([PATH]), ["bare hyper", "nginx", "nginx, open_file_cache", "Varnish"])


def many_keys(bench):
    """Hits of 100,000 numbers, each as often as the other."""
    return compare(bench, MANY, bench.load(paths(MANY)), ["bare hyper", "nginx", "nginx, open_file_cache", "Varnish"])


def open_loop(bench):
    """Requests due at a fixed rate, whatever the server does: 30,000 a second, or what the bare server holds here."""
    with bench.bare() as bare:
        bare.wait_for(PATH)
        for rate in (30_000, 25_000, 20_000, 15_000, 10_000, 5_000):
            probe = bench.load([PATH], rate=rate)
            if sorted(probe.is_undisturbed(probe.ask(bare)) for _ in range(5))[2]:
                break
    return {"rate": rate, **compare(bench, 10, bench.load([PATH], rate=rate), ["bare hyper", "nginx"])}


def new_connections(bench):
    """A connection of its own for every request, as some phone systems have it."""
    return compare(bench, 10, bench.load([PATH], close=True), ["bare hyper", "nginx"])


def million(bench):
    """Hits among a million cached contacts and among a thousand, and what each contact takes in memory."""
    with bench.stocked(THOUSAND) as few, bench.stocked(MILLION) as many:
        everybody = paths(MILLION)
        loads = {few.name: bench.load(everybody_of(everybody, THOUSAND)), many.name: bench.load(everybody)}
        for server, contacts in ((few, THOUSAND), (many, MILLION)):
            server.wait_for(PATH)
            # The first hit of a contact is dearer; it is over for everybody.
            loads[server.name].ask(server, limit=contacts)
        asked = many.resident()
        results, kept = alternate([few, many], ByServer(loads), bench.rounds)
        stock = many.stock
    return {
        "servers": summary(results),
        "cpu_ratio": ratio(results, "cpu_s", many.name, few.name),
        "bytes_a_contact": (stock["after"] - stock["before"]) / MILLION,
        "bytes_once_asked": (asked - stock["before"]) / MILLION,
        "stocked_in_s": stock["seconds"],
        **kept,
    }


def everybody_of(paths_of_all, contacts):
    """Those of the first contacts."""
    wanted = {path(contact) for contact in range(contacts)}
    return [text for text in paths_of_all if text in wanted]


class ByServer:
    """A load for each server."""

    def __init__(self, loads):
        self.loads = loads

    def ask(self, server):
        return self.loads[server.name].ask(server)

    def is_undisturbed(self, result):
        return next(iter(self.loads.values())).is_undisturbed(result)


def counted(bench):
    """Instructions in user mode and system calls of a hit."""
    starts = {"bare hyper": bench.bare, "callcard": lambda tool=(): bench.stocked(100, tool)}
    figures = {}
    for name, start in starts.items():
        count, functions = instructions.per_request(start, PATH)
        with start() as server:
            server.wait_for(PATH)
            by_name, together = calls.per_request(server, PATH)
        figures[name] = {"instructions": count, "functions": functions[:25], "calls": by_name, "all_calls": together}
    with bench.bare() as bare, servers.nginx(bare) as nginx, servers.nginx(bare, open_files=True) as open_files, servers.varnish(bare) as varnish:
        for server in (nginx, open_files, varnish):
            server.wait_for(PATH)
            by_name, together = calls.per_request(server, PATH)
            figures[server.name] = {"calls": by_name, "all_calls": together}
    figures["shipped"] = shipped(bench.programs["callcard"])
    return figures


def shipped(program):
    """Instructions of a hit in `callcard serve` itself, with everything that runs beside it."""
    with servers.sandbox(program) as crm:
        crm.wait_for("/_sandbox")
        return instructions.per_request(lambda tool: servers.service(program, crm, tool), servers.KNOWN, warm=wait_for_ready)[0]


def start(bench):
    """From the start of the process to the first answers, and the memory when nobody calls."""
    program, rows = bench.programs["callcard"], []
    with servers.sandbox(program) as crm:
        crm.wait_for("/_sandbox")
        for _ in range(max(5, bench.rounds // 2)):
            with servers.service(program, crm) as service:
                answer = service.wait_for(servers.WITHHELD) * 1000
                ready = wait_for_ready(service)
            with servers.service(program, crm) as service:
                rows.append((answer, ready, service.wait_for(servers.KNOWN) * 1000))
        with servers.service(program, crm) as service:
            service.wait_for(servers.KNOWN)
            wait_for_ready(service)
            time.sleep(5)
            idle = service.resident()
    figures = {name: spread(row[number] for row in rows) for number, name in enumerate(("first_answer_ms", "ready_ms", "first_card_ms"))}
    return figures | {"idle_bytes": idle}


def wait_for_ready(service):
    """Milliseconds from the start until `/readyz` says yes."""
    lookup, service.address = service.address, service.admin
    try:
        return service.wait_for("/readyz", seconds=120) * 1000
    finally:
        service.address = lookup


PARTS = {
    "one_key": one_key,
    "many_keys": many_keys,
    "open_loop": open_loop,
    "new_connections": new_connections,
    "million": million,
    "counted": counted,
    "start": start,
    "crowd": crowd,
    "reading": reading,
}


def versions():
    """Of what is compared against."""
    said = {}
    for name, flag in (("nginx", "-v"), ("varnishd", "-V")):
        run = subprocess.run([servers.PROGRAMS / name, flag], capture_output=True, text=True)
        said[name] = re.search(r"(?:nginx/|varnish-)([\d.]+)", run.stdout + run.stderr)[1]
    said["rustc"] = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return said


def say(text):
    print(text, flush=True, file=sys.stderr)
