"""The flame graph of a hit: where the server's time goes, kernel included, as perf samples it.

Width is time, the callers are below. Functions that were inlined are in their caller's box. The picture is plain SVG: hover for the share.
"""

import hashlib
import re
import subprocess
import tempfile
import threading
from html import escape
from pathlib import Path

WIDTH, ROW, LEFT = 1200, 17, 10
# Narrower boxes cannot be read.
NARROW = 0.0025


def record(server, load, seconds=4):
    """{stack, outermost first: samples} of a server under load."""
    pid = server.process.pid
    with tempfile.TemporaryDirectory(prefix="bench-perf-") as folder:
        data = Path(folder, "data")
        asking = threading.Thread(target=load.ask, args=[server])
        asking.start()
        command = ["perf", "record", "-q", "-o", data, "-F", "999", "--call-graph", "dwarf,16384", "-p", str(pid), "--", "sleep", str(seconds)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        asking.join()
        script = ["perf", "script", "-i", data, "-F", "ip,sym"]
        text = subprocess.run(script, check=True, capture_output=True, text=True, timeout=240).stdout
    stacks = {}
    for sample in text.strip().split("\n\n"):
        frames = [short(line.split(None, 1)[1]) for line in sample.splitlines() if len(line.split(None, 1)) == 2]
        frames = tuple(trimmed([frame for frame in reversed(frames) if frame != "[unknown]"]))
        if frames:
            stacks[frames] = stacks.get(frames, 0) + 1
    return stacks


def short(name):
    """A function's name without what only the compiler reads: hashes, type arguments, the trait behind a type."""
    name = re.sub(r"::h[0-9a-f]{16}| \(inlined\)|\+0x[0-9a-f]+|\.llvm\.\d+|\{\{closure\}\}", "", name.strip())
    while (less := re.sub(r"::<[^<>]*>|(?<=\w)<[^<>]*>", "", name)) != name:
        name = less
    name = re.sub(r"^<(?:&mut |&)?(\S+)(?: as [^>]*)?>", r"\1", name)
    return re.sub(r"(::)+$", "", name) or "closure"


def trimmed(frames):
    """From the connection's task up, without what the runtime calls it through."""
    starts = [number for number, frame in enumerate(frames) if frame.startswith("callcard::http::server")]
    frames = frames[starts[0] :] if starts else frames
    # A function that calls itself, or a closure of its own, is one box.
    return [frame for number, frame in enumerate(frames) if not number or frame != frames[number - 1]]


def tree(stacks):
    root = [0, {}]
    for frames, count in stacks.items():
        node = root
        node[0] += count
        for frame in frames:
            node = node[1].setdefault(frame, [0, {}])
            node[0] += count
    return root


def colour(name):
    """One hue a layer, so that the eye finds them: ours, the HTTP library, the runtime, the rest of user mode, the kernel."""
    shade = int(hashlib.sha256(name.encode()).hexdigest()[:2], 16) % 24
    if name.startswith("callcard"):
        return f"hsl(14 {70 + shade}% 62%)"
    if re.match(r"hyper|http", name):
        return f"hsl(45 {60 + shade}% 62%)"
    if re.match(r"tokio|mio", name):
        return f"hsl(140 {25 + shade}% 66%)"
    if "::" in name or name.startswith(("__mem", "malloc", "_int_", "cfree", "free", "realloc")):
        return f"hsl(280 {20 + shade}% 76%)"
    return f"hsl(210 {25 + shade}% 74%)"


def draw(stacks, title):
    """The SVG."""
    root = tree(stacks)
    boxes, deepest = [], 0

    def place(node, x, depth):
        nonlocal deepest
        for name, child in sorted(node[1].items()):
            share = child[0] / root[0]
            if share >= NARROW:
                boxes.append((x, depth, share, name))
                deepest = max(deepest, depth)
                place(child, x, depth + 1)
            x += share

    place(root, 0.0, 0)
    height = (deepest + 1) * ROW + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="ui-monospace, monospace" font-size="11">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{WIDTH / 2}" y="20" font-size="14" text-anchor="middle">{escape(title)}</text>',
    ]
    words = (("callcard", "callcard::"), ("hyper, http", "hyper::"), ("tokio, mio", "tokio::"), ("other user code", "std::"), ("kernel", "kernel"))
    for number, (word, name) in enumerate(words):
        parts.append(f'<rect x="{LEFT + 150 * number}" y="29" width="10" height="10" fill="{colour(name)}"/>')
        parts.append(f'<text x="{LEFT + 14 + 150 * number}" y="38">{word}</text>')
    scale = WIDTH - 2 * LEFT
    for x, depth, share, name in boxes:
        left, top, width = LEFT + x * scale, height - 10 - (depth + 1) * ROW, share * scale
        fits = int(width / 6.7) - 1
        label = name if len(name) <= fits else name.split("::")[-1] if len(name.split("::")[-1]) <= fits else name[: fits - 1] + "…" if fits > 4 else ""
        parts.append(
            f'<g><title>{escape(name)} {share:.1%}</title><rect x="{left:.1f}" y="{top}" width="{max(width - 0.5, 0.3):.1f}" height="{ROW - 1}" '
            f'fill="{colour(name)}"/><text x="{left + 3:.1f}" y="{top + 12}">{escape(label)}</text></g>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def shares(stacks):
    """Of the samples, what was in the kernel, and in each layer of user mode, by the innermost function."""
    total, layers = sum(stacks.values()), {}
    for frames, count in stacks.items():
        layer = next((word for word, pattern in LAYERS if re.match(pattern, frames[-1])), "kernel")
        layers[layer] = layers.get(layer, 0) + count / total
    return dict(sorted(layers.items(), key=lambda pair: -pair[1]))


LAYERS = (
    ("callcard", r"callcard"),
    ("hyper and http", r"hyper|http"),
    ("tokio and mio", r"tokio|mio"),
    ("memory, other libraries", r".*::|_?_?mem|malloc|_int_|cfree|free|realloc|calloc|unlink_chunk|clock_gettime|__vdso|__send|__libc|__writev|writev|recv|epoll_wait|__GI"),
)
