"""Two plots as SVG, from what tests/bench/compare measured. Nothing but the standard library."""
from html import escape

COLOURS = {"status": "#0b6e4f", "clear": "#6bbf59", "bare handler": "#9aa0a6", "nginx + Lua": "#1f77b4",
           "webdis": "#ff7f0e", "fastify": "#9467bd", "Django": "#d62728"}
REDIS = "#b0b7c3"
WIDTH, LEFT, BAR, GAP, GROUP = 760, 130, 14, 4, 26


def label(name):
    return {"status": "Cachewarden, status", "clear": "Cachewarden, clear"}.get(name, name)


def document(height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'font-family="sans-serif" font-size="11">\n<rect width="{WIDTH}" height="{height}" '
            'fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")


def text(x, y, words, anchor="start", weight="normal"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-weight="{weight}">{escape(words)}</text>'


def box(x, y, width, colour):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{BAR}" fill="{colour}"/>'


def throughput(results, connections):
    """Requests a second, a group of bars for each number of connections; whiskers from lowest to highest."""
    top = max(cell["rate_max"] for by in results.values() for cell in by.values())
    scale = (WIDTH - LEFT - 90) / top
    parts, y = [text(8, 18, "Requests a second (more is better)", weight="bold")], 34
    for n in connections:
        parts.append(text(8, y + 11, f"{n} connection{'s' if n > 1 else ''}", weight="bold"))
        y += BAR + GAP
        for name, by in results.items():
            cell = by[n]
            parts.append(text(LEFT - 6, y + 11, label(name), "end"))
            parts.append(box(LEFT, y, cell["rate"] * scale, COLOURS.get(name, "#444")))
            low, high = LEFT + cell["rate_min"] * scale, LEFT + cell["rate_max"] * scale
            parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y + 7}" y2="{y + 7}" stroke="black"/>')
            parts.append(text(high + 6, y + 11, f"{cell['rate']:,.0f}"))
            y += BAR + GAP
        y += GROUP - BAR
    return document(y + 6, parts)


def cpu(results, n):
    """CPU time a request, of the server and of Redis."""
    top = max(by[n]["server_us"] + by[n]["redis_us"] for name, by in results.items() if name != "Django")
    scale = (WIDTH - LEFT - 130) / top
    parts = [text(8, 18, f"CPU a request at {n} connections, µs: server, and Redis in grey (less is better)",
                  weight="bold")]
    y = 34
    for name, by in results.items():
        server, redis = by[n]["server_us"], by[n]["redis_us"]
        shown = min(server * scale, WIDTH - LEFT - 130)
        parts.append(text(LEFT - 6, y + 11, label(name), "end"))
        parts.append(box(LEFT, y, shown, COLOURS.get(name, "#444")))
        end = LEFT + shown
        if server * scale <= shown:
            parts.append(box(end, y, redis * scale, REDIS))
            end += redis * scale
        parts.append(text(end + 6, y + 11, f"{server:.1f} + {redis:.1f}"))
        y += BAR + GAP
    return document(y + 6, parts)
