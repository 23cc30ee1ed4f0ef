"""Instructions of one hit, counted, not timed: the same on a busy machine as on an idle one.

The server runs under callgrind twice, answering few and then many requests on one connection; the difference divided by the
difference in requests is what one costs.
"""

import re
import signal
import tempfile
from pathlib import Path

from rounds import Load

FEW, MANY = 1_000, 4_000


def stop(server):
    """Ends it so that the tool writes its result: a signal to the child of `taskset`, and patience."""
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(timeout=120)


def instructions(start, load_program, path, requests):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "callgrind.out")
        tool = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}"]
        with start(tool) as server:
            server.wait_for(path, seconds=120)
            Load(load_program, [path], connections=1).ask(server, limit=requests)
            stop(server)
        return int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M)[1])


def per_request(*arguments):
    """Instructions in user mode that one more request costs."""
    return (instructions(*arguments, MANY) - instructions(*arguments, FEW)) / (MANY - FEW)
