"""What a call goes through, each program on free ports of loopback: the sandbox CRM, callcard, kamailio, and sipp at both ends."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parent.parent / ".tools/bin"
# The deadline of the service, and what the way there and back may take besides.
DEADLINE, GRACE = 1.5, 0.2


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(type=kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def http(url, method="GET", body=None):
    request = urllib.request.Request(url, method=method, data=None if body is None else body.encode(), headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as response:
        return response.read().decode()


def eventually(what, is_so, seconds=20):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


class Program:
    """A process of ours, with its output in a file. Stopped by its own id, never by name."""

    def __init__(self, command, **environment):
        self.log = tempfile.TemporaryFile("w+", errors="replace")
        environment = {"PATH": os.environ["PATH"], "TERM": "dumb", **environment}
        self.process = subprocess.Popen([str(part) for part in command], env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)

    def output(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        """Stops it, if that has not been done."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Service:
    """callcard in front of a sandbox of its own."""

    def __init__(self, binary, port, **settings):
        crm, admin = free_port(), free_port()
        self.crm, self.admin = f"http://127.0.0.1:{crm}", f"http://127.0.0.1:{admin}"
        self.sandbox = Program([binary, "sandbox", "--listen", f"127.0.0.1:{crm}", "--contacts", "10"])
        usual = {
            "CALLCARD_LISTEN": f"127.0.0.1:{port}", "CALLCARD_ADMIN_LISTEN": f"127.0.0.1:{admin}", "CALLCARD_KOMMO_URL": self.crm,
            "CALLCARD_KOMMO_TOKEN": "sandbox-token", "CALLCARD_DEFAULT_REGION": "RU", "CALLCARD_SEARCH": "digits", "CALLCARD_DRAIN_DELAY": "0s",
            "CALLCARD_DEADLINE": f"{DEADLINE * 1000:.0f}ms", "CALLCARD_API_KEYS": "phones:text:name-lookup-key", "CALLCARD_LOG": "warn",
        }
        self.callcard = Program([binary, "serve"], **usual | settings)
        try:
            eventually("the sandbox is up", lambda: self.answers(self.crm + "/_sandbox"))
            eventually("callcard is ready", lambda: self.answers(self.admin + "/readyz"))
        except BaseException:
            print(self.sandbox.output() + self.callcard.output(), file=sys.stderr)
            self.stop()
            raise

    @staticmethod
    def answers(url):
        with contextlib.suppress(OSError, urllib.error.URLError):
            return bool(http(url))
        return False

    def add(self, name, *phones):
        http(self.crm + "/_sandbox/contacts", "POST", json.dumps({"name": name, "phones": phones}))

    def break_crm(self, rule):
        http(self.crm + "/_sandbox/faults", "POST", rule)

    def mend_crm(self):
        http(self.crm + "/_sandbox/faults", "DELETE")

    def queries(self):
        """How often the CRM was asked who has a number."""
        return json.loads(http(self.crm + "/_sandbox/calls"))["counts"].get("contacts_query", 0)

    def metric(self, name):
        """The sum of the series whose text begins so."""
        lines = [line for line in http(self.admin + "/metrics").splitlines() if line.startswith(name)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def settle(self):
        """Waits for the fills that go on after their callers were answered."""
        eventually("the fills end", lambda: self.metric("callcard_fills_in_flight") == 0)

    def stop(self):
        self.callcard.stop()
        self.sandbox.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Message:
    """One SIP message of a sipp trace: when, which way, and its header lines."""

    def __init__(self, at, way, text):
        self.at, self.way = at, way
        head = text.replace("\r\n", "\n").strip().partition("\n\n")[0].split("\n")
        self.first, self.lines = head[0], head[1:]

    def header(self, name):
        found = [line.partition(":")[2].strip() for line in self.lines if line.lower().startswith(name.lower() + ":")]
        assert len(found) == 1, f"{len(found)} headers {name} in {self.first}"
        return found[0]


def messages(trace):
    text = trace.read_bytes().decode("utf-8", "strict")
    parts = re.split(r"^-{40,} (\d{4}-\d\d-\d\d)[ \t]+(\d\d):(\d\d):([\d.]+).*\n", text, flags=re.M)[1:]
    for _day, hour, minute, second, body in zip(*[iter(parts)] * 5, strict=True):
        title, _, message = body.partition("\n\n")
        yield Message(int(hour) * 3600 + int(minute) * 60 + float(second), "sent" if " sent " in title else "received", message)


# What may stand in From: a display name in quotes with nothing to escape, the address, a tag, and nothing else.
FROM = re.compile(r'(?:"(?P<name>[^"\\\x00-\x1f\x7f]*)"\s*)?<sip:(?P<user>[^@>]*)@[^>]+>;tag=[\w.-]+')


class Call:
    """A call as the called phone saw it: the name in From (None if there was none) and the seconds until it rang."""

    def __init__(self, sent, received):
        self.seconds = received.at - sent.at
        match = FROM.fullmatch(received.header("From"))
        assert match, f"From cannot be read: {received.header('From')!r}"
        self.user, self.name = match["user"], match["name"]


class Switchboard:
    """kamailio with a configuration from the recipe, and the caller's and the called phone."""

    def __init__(self, configuration, lookup_port):
        self.folder = tempfile.TemporaryDirectory()
        self.port, self.phone = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
        places = {"127.0.0.1:5060": self.port, "127.0.0.1:5070": self.phone, "127.0.0.1:8080": lookup_port}
        for written, port in places.items():
            assert written in configuration, f"the recipe does not mention {written}"
            configuration = configuration.replace(written, f"127.0.0.1:{port}")
        file = Path(self.folder.name, "kamailio.cfg")
        file.write_text(configuration)
        here = self.folder.name
        self.kamailio = Program([TOOLS / "kamailio", "-f", file, "-DD", "-E", "-w", here, "-Y", here, "-P", Path(here, "pid"), "-m", "32", "-M", "4"])
        try:
            eventually("kamailio is up", self.listens)
        except BaseException:
            print(self.kamailio.output(), file=sys.stderr)
            self.stop()
            raise

    def listens(self):
        """Whether the port is taken: it answers nothing but SIP."""
        assert self.kamailio.process.poll() is None, "kamailio did not start"
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            try:
                s.bind(("127.0.0.1", self.port))
            except OSError:
                return True
        return False

    def call(self, *users, rate=5, period=1000):
        """Calls from all of these, so many in a period of milliseconds. Fails unless every call rings, is answered and ends."""
        here = Path(self.folder.name)
        numbers, called, calling = here / "numbers.csv", here / "called.log", here / "calling.log"
        numbers.write_text("SEQUENTIAL\n" + "".join(f"{user};\n" for user in users))
        called.unlink(missing_ok=True)
        calling.unlink(missing_ok=True)

        def sipp(scenario, port, trace, *more):
            media = free_port(socket.SOCK_DGRAM)
            command = [TOOLS / "sipp", "-sf", HERE / scenario, "-i", "127.0.0.1", "-p", port, "-mp", media, "-nostdin", "-m", len(users)]
            return Program([*command, "-trace_msg", "-message_file", trace, "-timeout", "15s", "-timeout_error", *more])

        more = ["-inf", numbers, "-r", rate, "-rp", period, "-l", len(users), f"127.0.0.1:{self.port}"]
        with sipp("uas.xml", self.phone, called) as phone:
            with sipp("uac.xml", free_port(socket.SOCK_DGRAM), calling, *more) as caller:
                code = caller.process.wait(timeout=25)
                assert code == 0, f"a call failed (sipp {code}):\n{self.kamailio.output()[-2000:]}\n{caller.output()[-3000:]}"
            phone.process.wait(timeout=10)
        return self.calls(calling, called)

    @staticmethod
    def calls(calling, called):
        """In the order of the INVITEs that were sent; retransmitted ones count once."""
        first = lambda trace, way: {m.header("Call-ID"): m for m in reversed([m for m in messages(trace) if m.way == way and m.first.startswith("INVITE ")])}
        received = first(called, "received")
        sent = sorted(first(calling, "sent").items(), key=lambda item: item[1].at)
        return [Call(invite, received[call_id]) for call_id, invite in sent]

    def stop(self):
        self.kamailio.stop()
        self.folder.cleanup()
