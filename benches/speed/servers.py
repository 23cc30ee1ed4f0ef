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
PROGRAMS = Path(__file__).resolve().parent.parent.parent / ".tools/bin"
# A number that the sandbox CRM knows, with leads.
KNOWN = "/lookup?phone=%2B14155550123"
# A caller for whom the CRM is not asked.
WITHHELD = "/lookup?phone=anonymous&notfound=200"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(core, command):
    return ["taskset", "--cpu-list", str(core), *map(str, command)]


class Server:
    """A session of processes with an address. Use as a context; it is killed at the end, as a whole."""

    def __init__(self, name, command, port, folder=None, **variables):
        self.name, self.port, self.folder = name, port, folder
        self.address = f"127.0.0.1:{port}"
        self.errors = tempfile.TemporaryFile("w+")
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables}
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            pinned(SERVER_CORE, command), env=environment, stdout=subprocess.PIPE, stderr=self.errors, text=True, start_new_session=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in [int(entry.name) for entry, _ in self.processes()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
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
                    raise SystemExit(self.complaint(f"does not answer: {error}")) from error
                time.sleep(0.002)

    def complaint(self, what):
        """What is wrong, and what the server itself says."""
        self.errors.seek(0)
        return f"{self.name} {what}\n{self.errors.read()}"

    def processes(self):
        """(folder below /proc, fields of its `stat` after the name) of each."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    if int(fields[3]) == self.process.pid:
                        yield entry, fields

    def cpu(self):
        """CPU seconds so far: (in user mode, in the kernel)."""
        stats = [fields for _, fields in self.processes()]
        return tuple(sum(int(fields[field]) for fields in stats) / TICK for field in (11, 12))

    def resident(self):
        """Bytes in memory."""
        return sum(int(fields[21]) for _, fields in self.processes()) * os.sysconf("SC_PAGE_SIZE")


def bare(programs, headers, body, under=(), more=()):
    """The yardstick: a bare hyper server that gives these bytes to everybody."""
    folder = tempfile.mkdtemp(prefix="bench-bare-")
    file, port = Path(folder, "body"), free_port()
    file.write_bytes(body)
    headers = [part for name, value in headers for part in ("--header", f"{name}: {value}")]
    return Server("bare hyper", [*under, programs["bare"], "--listen", f"127.0.0.1:{port}", "--body", file, *headers, *more], port, folder=folder)


def stocked(programs, contacts, under=(), more=()):
    """The service over made-up contacts, all of them in its cache; `stock` tells what they take."""
    port = free_port()
    command = [*under, programs["stocked"], "--contacts", contacts, "--listen", f"127.0.0.1:{port}", *more]
    server = Server(f"callcard, {contacts:,} contacts", command, port)
    line = server.process.stdout.readline()
    if not line:
        raise SystemExit(server.complaint("did not start"))
    server.stock = json.loads(line)
    return server


NGINX = """
daemon off; pid {folder}/pid; error_log stderr error; {user}
worker_processes 1; worker_rlimit_nofile 16384;
events {{ worker_connections 4096; }}
http {{
    access_log off; sendfile on; tcp_nopush on; types_hash_max_size 2048; keepalive_timeout 65; keepalive_requests 1000000000;
    client_body_temp_path {folder}/a; fastcgi_temp_path {folder}/b; uwsgi_temp_path {folder}/c; scgi_temp_path {folder}/d; proxy_temp_path {folder}/e;
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=answers:64m max_size=4g inactive=24h use_temp_path=off;
    {more}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{origin}; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_cache answers; proxy_cache_valid 200 24h; proxy_ignore_headers Cache-Control Expires Vary;
        }}
    }}
}}
"""
OPEN_FILES = "open_file_cache max=10000 inactive=10m; open_file_cache_valid 10m;"


def nginx(origin, open_files=False):
    """nginx as Debian has it, with `proxy_cache` in front of the bare server; with or without open files kept."""
    folder, port = tempfile.mkdtemp(prefix="bench-nginx-"), free_port()
    user = "user root;" if os.getuid() == 0 else ""
    config = Path(folder, "nginx.conf")
    config.write_text(NGINX.format(folder=folder, port=port, origin=origin.address, user=user, more=OPEN_FILES if open_files else ""))
    name = "nginx, open_file_cache" if open_files else "nginx"
    return Server(name, [PROGRAMS / "nginx", "-e", "stderr", "-c", config], port, folder=folder)


VARNISH = """
vcl 4.1;
backend origin {{ .host = "127.0.0.1"; .port = "{port}"; }}
sub vcl_backend_response {{ set beresp.ttl = 24h; set beresp.uncacheable = false; return (deliver); }}
"""


def varnish(origin):
    """Varnish as Debian has it, with room in memory for everything, in front of the bare server."""
    folder, port = tempfile.mkdtemp(prefix="bench-varnish-"), free_port()
    vcl = Path(folder, "origin.vcl")
    vcl.write_text(VARNISH.format(port=origin.port))
    command = [PROGRAMS / "varnishd", "-j", "none", "-F", "-a", f"127.0.0.1:{port}", "-f", vcl, "-n", f"{folder}/run", "-s", "malloc,2g"]
    return Server("Varnish", command, port, folder=folder)


def sandbox(program):
    """The stand-in CRM."""
    port = free_port()
    command = [program, "sandbox", "--listen", f"127.0.0.1:{port}", "--rate", "0"]
    return Server("the sandbox CRM", command, port)


def service(program, crm, under=()):
    """`callcard serve`, as it is shipped, in front of the sandbox CRM; `admin` is its other address."""
    port, admin = free_port(), free_port()
    variables = {
        "CALLCARD_LISTEN": f"127.0.0.1:{port}",
        "CALLCARD_ADMIN_LISTEN": f"127.0.0.1:{admin}",
        "CALLCARD_KOMMO_URL": f"http://{crm.address}",
        "CALLCARD_KOMMO_TOKEN": "sandbox-token",
        "CALLCARD_KNOWN_FRESH": "24h",
        "CALLCARD_KNOWN_STALE": "48h",
    }
    server = Server("callcard serve", [*under, program, "serve"], port, **variables)
    server.admin = f"127.0.0.1:{admin}"
    return server
