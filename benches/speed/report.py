"""docs/performance.md's generated parts, from the measured figures: between `<!-- speed:begin -->` and `<!-- speed:end -->`."""


BEGIN, END = "<!-- speed:begin -->\n", "<!-- speed:end -->"
LABELS = {"cpu_s": "CPU s / 1M", "user_s": "of it in user mode", "per_s": "requests/s", "p50_us": "p50 µs", "p99_us": "p99 µs"}


def with_spread(values, form):
    middle, low, high = (form.format(value) for value in values)
    return f"{middle} ({low}–{high})"


def goals(results):
    """(what, goal, measured as a spread, whether less is better, the bound, how to write it): one row of the table each."""
    ratio = lambda part, name, figure: results.get(part, {}).get("ratios", {}).get(name, {}).get(figure)
    inverse = lambda values: values and [1 / values[0], 1 / values[2], 1 / values[1]]
    one = lambda part, *keys: dig(results.get(part), keys)
    single = lambda value: value is not None and [value] * 3 or None
    rate = f"{results['open_loop']['rate']:,}" if "open_loop" in results else "30,000"
    times, plain = "{:.2f}", "{:,.0f}"
    yield "requests per CPU second, one number, vs bare hyper", "≥", 0.90, ratio("one_key", "bare hyper", "cpu_s"), times
    for name, bound in (("nginx", 2.5), ("nginx, open_file_cache", 2.1), ("Varnish", 2.4)):
        yield f"– vs {name}", "≥", bound, ratio("one_key", name, "cpu_s"), times
    for name, bound in (("nginx", 2.5), ("nginx, open_file_cache", 2.1), ("Varnish", 2.4)):
        yield f"100,000 numbers, vs {name}", "≥", bound, ratio("many_keys", name, "cpu_s"), times
    yield f"p99 at {rate}/s, open loop, vs bare hyper", "≤", 1.25, inverse(ratio("open_loop", "bare hyper", "p99_us")), times
    yield "a new connection for each request, requests per CPU second vs nginx", "≥", 1.2, ratio("new_connections", "nginx", "cpu_s"), times
    yield "CPU of a hit among 1,000,000 contacts vs among 1,000", "≤", 1.25, one("million", "cpu_ratio"), times
    yield "bytes a cached contact with one lead, at 1,000,000", "≤", 700, single(one("million", "bytes_a_contact")), plain
    yield "user instructions of a hit", "≤", 12_500, one("counted", "callcard", "instructions"), plain
    yield "system calls of a hit", "≤", 3, single(rounded(one("counted", "callcard", "all_calls"))), times
    yield "idle memory, MB", "≤", 40, single(megabytes(one("start", "idle_bytes"))), "{:.1f}"
    yield "start to the first answer of `/lookup`, to a withheld number, ms", "≤", 150, one("start", "first_answer_ms"), plain
    yield "reading a number, all regions in turn, median, µs", "≤", 2, one("reading", "us"), times
    yield "– 99th percentile, µs", "≤", 10, one("reading", "p99_us"), times
    yield "– one that is remembered, µs", "≤", 0.15, one("reading", "memo_us"), times
    yield "10,000 callers of one fill, in process: last served after, ms", "≤", 50, one("crowd", "costs", "coalesced", "last_ms"), "{:.1f}"
    yield "– over 10,000 connections, one core: last served after, ms", "≤", 50, one("crowd", "callcard", "last_ms"), plain


def dig(value, keys):
    for key in keys:
        value = value.get(key) if value else None
    return value


def rounded(value):
    """Timers that tick now and then are nobody's call: 3.003 is three."""
    return value and round(value, 2) if value and value - int(value) > 0.02 else value and float(int(value))


def megabytes(value):
    return value and value / 1e6


def is_met(values, sense, bound):
    return values[0] >= bound if sense == "≥" else values[0] <= bound


def goals_table(results):
    lines = ["| figure | goal | measured (quartiles) | met |", "|---|---|---|---|"]
    for what, sense, bound, values, form in goals(results):
        goal = f"{sense} {bound:,}" if isinstance(bound, int) else f"{sense} {bound:.2f}"
        if values is None:
            lines.append(f"| {what} | {goal} | not measured | – |")
            continue
        values = list(values)
        if values != sorted(values[:1] * 3):
            values = [values[0], *sorted(values[1:])]
        shown = with_spread(values, form) if len(set(values)) > 1 else form.format(values[0])
        lines.append(f"| {what} | {goal} | {shown} | {'yes' if is_met(values, sense, bound) else '**no**'} |")
    return lines


def servers_table(part, figures):
    lines = ["| server | " + " | ".join(LABELS[figure] for figure in figures) + " |", "|---" * (len(figures) + 1) + "|"]
    for name, row in part["servers"].items():
        cells = [with_spread(row[figure], "{:,.0f}" if figure in ("per_s", "p50_us", "p99_us") else "{:.2f}") for figure in figures]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def rounds_line(part):
    disturbed = f", {part['disturbed']} of them while the machine was busy with something else" if part.get("disturbed") else ""
    return f"{part['rounds']} rounds{disturbed}."


def counted_tables(part):
    lines = ["| server | instructions in user mode | system calls | which |", "|---|---|---|---|"]
    for name, row in part.items():
        if name == "shipped":
            continue
        count = f"{row['instructions'][0]:,.0f}" if "instructions" in row else "–"
        which = ", ".join(f"`{call}`" + (f" {times:.0f}×" if times > 1.5 else "") for call, times in row["calls"].items())
        lines.append(f"| {name} | {count} | {rounded(row['all_calls']):.4g} | {which} |")
    lines += ["", f"In `callcard serve` itself, with everything that runs beside a hit: {part['shipped'][0]:,.0f} instructions.", ""]
    lines += ["What the instructions are spent in, by function, inlined ones in their caller:", "", "| instructions | callcard | instructions | bare hyper |", "|---|---|---|---|"]
    for ours, theirs in zip(part["callcard"]["functions"][:16], part["bare hyper"]["functions"][:16], strict=True):
        lines.append(f"| {ours[1]:,.0f} | `{plain(ours[0])}` | {theirs[1]:,.0f} | `{plain(theirs[0])}` |")
    return lines


def plain(name):
    from flame import short

    return short(name)


def crowd_tables(part):
    callers = "| 10,000 callers, one connection each | first | middle | last |\n|---|---|---|---|".split("\n")
    for name in ("callcard", "bare hyper"):
        callers.append(f"| {name} | " + " | ".join(with_spread(part[name][key], "{:.0f}") + " ms" for key in ("first_ms", "middle_ms", "last_ms")) + " |")
    costs = "| in process, without HTTP | time, µs | instructions |\n|---|---|---|".split("\n")
    words = {
        "miss": "a miss: search, verification, leads, names, card",
        "coalesced": "a caller who waits at another's fill",
        "refused": "a call refused while the CRM is suspended",
    }
    for what, word in words.items():
        costs.append(f"| {word} | {with_spread(part['costs'][what]['us'], '{:.1f}')} | {part['costs'][what]['instructions']:,.0f} |")
    return [*callers, "", *costs]


def render(results):
    """The text between the marks."""
    about = results["about"]
    lines = [
        f"Taken on {about['machine']}, at {about['revision']}; nginx {about['versions']['nginx']}, Varnish {about['versions']['varnishd']}, "
        f"Rust {about['versions']['rustc']}. {about['body']} bytes in a body, {about['headers']} headers beside the connection's own.",
        *([f"{about['note']}"] if about.get("note") else []),
        "",
        *goals_table(results),
        "",
        "![CPU seconds a million hits](speed.svg)",
    ]
    titles = {
        "one_key": ("One number, keep-alive, 32 connections, closed loop", ("cpu_s", "user_s", "per_s", "p50_us", "p99_us")),
        "many_keys": ("100,000 numbers", ("cpu_s", "user_s", "per_s", "p99_us")),
        "open_loop": ("Open loop", ("cpu_s", "p50_us", "p99_us")),
        "new_connections": ("A new connection for each request", ("cpu_s", "user_s", "per_s", "p99_us")),
        "million": ("A thousand and a million contacts", ("cpu_s", "user_s", "p99_us")),
    }
    for name, (title, figures) in titles.items():
        if name in results:
            rate = f", {results[name]['rate']:,} requests a second" if "rate" in results[name] else ""
            lines += ["", f"### {title}{rate}", "", *servers_table(results[name], figures), "", rounds_line(results[name])]
            if once_asked := results[name].get("bytes_once_asked"):
                lines += [f"{once_asked:,.0f} bytes a contact when each has been asked for once, what its hits need by then included."]
    if "counted" in results:
        lines += ["", "### Instructions and system calls of a hit", "", *counted_tables(results["counted"])]
    if "flame" in results:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in results["flame"]["shares"].items())
        lines += ["", "### Where the time goes", "", f"By the innermost function: {shares}. The flame graph shows the way there.", ""]
        lines += ["![Flame graph of a hit](flame.svg)"]
    if "crowd" in results:
        lines += ["", "### Lookups that are no hits", "", *crowd_tables(results["crowd"])]
    if "start" in results:
        start = results["start"]
        lines += [
            "",
            f"Start: {with_spread(start['first_answer_ms'], '{:.0f}')} ms from `exec` to the first 200 of `/lookup`, to a caller for whom the CRM is not "
            f"asked; {with_spread(start['ready_ms'], '{:.0f}')} ms until `/readyz` says yes, the reader of numbers warm; "
            f"{with_spread(start['first_card_ms'], '{:,.0f}')} ms to the first card if it is asked for at once: search, leads, company, "
            "account, users and pipelines are six calls, which leave no faster than the quota's six a second. Memory five seconds later: "
            f"{start['idle_bytes'] / 1e6:.1f} MB.",
        ]
    return "\n".join(lines) + "\n"


def replace(document, text):
    before, rest = document.split(BEGIN, 1)
    return before + BEGIN + text + END + rest.split(END, 1)[1]


