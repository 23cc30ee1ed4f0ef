"""The plot of docs/performance.md: CPU seconds a million hits, a bar a server, with the quartiles."""

from html import escape

WIDTH, BAR, GAP, NAMES = 760, 20, 6, 190
COLOURS = {"callcard": "#c2410c", "bare hyper": "#475569"}
TITLES = {"one_key": "one number, keep-alive", "many_keys": "100,000 numbers, keep-alive", "new_connections": "a new connection for each request"}


def draw(results):
    groups = [(title, results[part]["servers"]) for part, title in TITLES.items() if part in results]
    longest = max(figures["cpu_s"][2] for _, servers in groups for figures in servers.values())
    scale = (WIDTH - NAMES - 90) / longest
    parts, y = [], 50
    for title, servers in groups:
        parts.append(f'<text x="10" y="{y + 14}" font-weight="bold">{escape(title)}</text>')
        y += 24
        for name, figures in sorted(servers.items(), key=lambda pair: pair[1]["cpu_s"][0]):
            middle, low, high = figures["cpu_s"]
            user = figures["user_s"][0] / (figures["user_s"][0] + figures["kernel_s"][0])
            colour, width, centre = COLOURS.get(name, "#94a3b8"), middle * scale, y + BAR / 2
            parts += [
                f'<text x="{NAMES - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
                f'<rect x="{NAMES}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}" opacity=".45"/>',
                f'<rect x="{NAMES}" y="{y}" width="{width * user:.1f}" height="{BAR}" fill="{colour}"/>',
                f'<path d="M{NAMES + low * scale:.1f} {centre}H{NAMES + high * scale:.1f}m0 -4v8M{NAMES + low * scale:.1f} {centre - 4}v8" stroke="#000"/>',
                f'<text x="{NAMES + max(width, high * scale) + 8:.1f}" y="{y + 14}">{middle:.1f}</text>',
            ]
            y += BAR + GAP
        y += 14
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" font-family="system-ui, sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        '<text x="10" y="22" font-size="15" font-weight="bold">CPU seconds of the server for a million hits</text>',
        '<text x="10" y="40" fill="#475569">median and quartiles; dark: in user mode, light: in the kernel; shorter is better</text>',
    ]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"
