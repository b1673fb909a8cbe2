"""Figures as SVG text: small, with stable ids, and in the colours of the page."""

from __future__ import annotations

import io
import re
import zlib

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG

from winit.report.figures.style import FOREGROUND, GRID, MUTED, Drawn, figure_style

# What a path is made of: how many coordinate pairs follow each letter.
_PAIRS = {"M": 1, "L": 1, "Q": 2, "C": 3}
_TOKEN = re.compile(r"<[^>]+>|[^<]+")
_SHARED = re.compile(r' (?:style|clip-path)="[^"]*"')


def _tenths(value: int) -> str:
    """Return a number of tenths as the shortest text: 125 → 12.5, −5 → -.5, 120 → 12."""
    sign, (whole, rest) = "-" if value < 0 else "", divmod(abs(value), 10)
    if not rest:
        return f"{sign}{whole}" if whole else "0"
    return f"{sign}{whole or ''}.{rest}"


def _joined(values: list[int]) -> str:
    """Return numbers in a row; a minus sign separates as well as a blank does."""
    text = ""
    for value in values:
        word = _tenths(value)
        text += word if not text or word[0] == "-" else f" {word}"
    return text


def path(text: str) -> str:
    """Return path data with relative coordinates, in tenths, so that sums of steps end where the path did.

    Only matplotlib's own form is taken, one letter before every group of absolute coordinates; other data stay as they are.
    """
    words = text.split()
    out, letter = [], ""
    x = y = start_x = start_y = 0
    at = 0
    while at < len(words):
        word = words[at]
        if word in ("z", "Z"):
            out.append("z")
            x, y, letter = start_x, start_y, ""
            at += 1
            continue
        if word not in _PAIRS:
            return text
        try:
            numbers = [round(10 * float(v)) for v in words[at + 1 : at + 1 + 2 * _PAIRS[word]]]
        except ValueError:
            return text
        if len(numbers) != 2 * _PAIRS[word]:
            return text
        if word == "M":
            out.append("M" + _joined(numbers))
            start_x, start_y = numbers
            letter = ""  # bare coordinates behind a move would be absolute lines
        else:
            steps = [n - (y if i % 2 else x) for i, n in enumerate(numbers)]
            joined = _joined(steps)
            blank = "" if letter != word or joined[0] == "-" else " "
            out.append((word.lower() if letter != word else blank) + joined)
            letter = word
        x, y = numbers[-2:]
        at += 1 + 2 * _PAIRS[word]
    return "".join(out)


def _unwrapped(tokens: list[str]) -> list[str]:
    """Drop groups without attributes."""
    kept, is_plain = [], []
    for token in tokens:
        if token == "<g>":
            is_plain.append(True)
        elif token.startswith("<g ") and not token.endswith("/>"):
            is_plain.append(False)
            kept.append(token)
        elif token == "</g>":
            if not is_plain.pop():
                kept.append(token)
        else:
            kept.append(token)
    return kept


def _shared(token: str) -> tuple[str, ...]:
    """Return the attributes of a shape that a group around it can carry instead; () if there are none."""
    if not token.startswith(("<path ", "<use ")) or not token.endswith("/>"):
        return ()
    attributes = tuple(_SHARED.findall(token))
    # The opacity of a group is not that of its members where these overlap, and it is not inherited.
    return () if any(re.search(r'[";]opacity:', a) for a in attributes) else attributes


def _grouped(tokens: list[str]) -> list[str]:
    """Write attributes that neighbouring shapes share once, on a group around them."""
    out, at, hidden = [], 0, 0
    while at < len(tokens):
        token = tokens[at]
        if token.startswith(("<defs", "<clipPath")):
            hidden += 1
        elif token in ("</defs>", "</clipPath>"):
            hidden -= 1
        shared, end = (() if hidden else _shared(token)), at + 1
        while shared and end < len(tokens) and _shared(tokens[end]) == shared:
            end += 1
        if end - at > 1:
            out += [f"<g{''.join(shared)}>", *(_SHARED.sub("", t) for t in tokens[at:end]), "</g>"]
        else:
            out.append(token)
        at = end
    return out


_USE = re.compile(r'<use xlink:href="#([^"]+)" x="([^"]+)" y="([^"]+)"(?: style="([^"]*)")?/>')
_VERTEX = re.compile(r'[ML] ([^\s"]+) ([^\s"]+)')
FEWEST = 3  # markers in a row that are worth a path


def _with_markers(tokens: list[str], tag: str) -> list[str]:
    """Draw rows of one symbol as the markers of a path: of the line they lie on, where they are its vertices.

    A figure has thousands of them, and each would be an element with a tree of its own.
    """
    out: list[str] = []
    markers: dict[tuple[str, str], str] = {}
    at = 0
    while at < len(tokens):
        row = _symbols(tokens, at)
        if row is None:
            out.append(tokens[at])
            at += 1
            continue
        clip, symbol, points = row
        if symbol not in markers:
            markers[symbol] = f"{tag}-m{len(markers)}"
            # Size as drawn, not in widths of the line; and in the same place on slanted lines.
            out.append(
                f'<defs><marker id="{markers[symbol]}" overflow="visible" markerUnits="userSpaceOnUse" style="{symbol[1]}">'
                f'<use xlink:href="#{symbol[0]}"/></marker></defs>'
            )
        line = _line_below(out, clip, points)
        if line is None:
            data = " ".join(f"{'L' if i else 'M'} {x} {y}" for i, (x, y) in enumerate(points))
            out.append(f'<path d="{data}"{clip} style="marker:url(#{markers[symbol]});fill:none;stroke:none"/>')
        else:
            out[line] = out[line].replace('style="', f'style="marker:url(#{markers[symbol]});', 1)
        at += len(points) + 2
    return out


def _symbols(tokens: list[str], at: int) -> tuple[str, tuple[str, str], list[tuple[str, str]]] | None:
    """Return the clip path, the symbol (its id and style) and the places of a group that repeats one symbol; None if it is no such group."""
    group = re.fullmatch(r'<g( clip-path="[^"]*")>', tokens[at])
    if group is None:
        return None
    end, points, symbols = at + 1, [], set()
    while end < len(tokens) and (use := _USE.fullmatch(tokens[end])):
        points.append((use[2], use[3]))
        symbols.add((use[1], use[4] or ""))
        end += 1
    if len(symbols) != 1 or len(points) < FEWEST or tokens[end] != "</g>":
        return None
    return group[1], symbols.pop(), points


def _line_below(out: list[str], clip: str, points: list[tuple[str, str]]) -> int | None:
    """Return where the line whose vertices these points are was written; None if it was not the last path."""
    line = next((i for i in (-1, -2) if len(out) >= 2 and out[i].startswith("<path ")), None)
    if line is None or clip not in out[line] or "marker:" in out[line] or "fill:none" not in out[line]:
        return None
    vertices = [tuple(map(float, vertex)) for vertex in _VERTEX.findall(out[line])]
    return line if vertices == [tuple(map(float, point)) for point in points] else None


def _plain_ticks(text: str) -> str:
    """Drop what uses of a symbol say of its ink, where the symbol is a line with ink of its own."""
    own = set(re.findall(r'<path id="([^"]+)" d="[^"zZ]*" style="[^"]*stroke:#[^"]*stroke-width:[^"]*"/>', text))
    return re.sub(
        r'(<use xlink:href="#([^"]+)"[^>]*?) style="[^"]*"/>', lambda m: f"{m[1]}/>" if m[2] in own else m[0], text
    )


_FAMILY = re.compile(r"font-family:('[^'\"]+', sans-serif);")


def compact(text: str, tag: str = "") -> str:
    """Return the SVG text of a matplotlib figure, about half as long.

    Args:
        text: the figure, with coordinates of at most a digit behind the point.
        tag: if given, rows of symbols become markers, whose ids begin with it: fit for a browser, and a third as long.
    """
    # matplotlib sets joins by a rule for every element, which would outdo what a group hands down, on the whole page.
    text = re.sub(r"<defs><style[^>]*>\*\{stroke-linejoin: ?round; ?stroke-linecap: ?butt\}</style></defs>", "", text)
    text = text.replace("<svg ", '<svg stroke-linejoin="round" ', 1)
    text = text.replace("stroke-dashoffset:0;", "").replace(' transform="rotate(-0 ', ' data-dropped="(')
    text = re.sub(r' data-dropped="[^"]*"', "", text)
    family = _FAMILY.search(text)
    if family:  # of all text but the rare one in another
        text = text.replace(family[0], "").replace("<svg ", f'<svg font-family="{family[1]}" ', 1)
    text = _plain_ticks(text)
    tokens = _unwrapped(_TOKEN.findall(text))
    tokens = [re.sub(r'(\d)\.0(?=["\s,)])', r"\1", t) if t[0] == "<" else t for t in tokens]
    if tag:
        tokens = _with_markers(tokens, tag)
    tokens = [re.sub(r'(<path [^>]*?\bd=")([^"]*)"', lambda m: f'{m[1]}{path(m[2])}"', t) for t in tokens]
    return "".join(_grouped(tokens))


# The figures' stand-in colours, and the variables of the page that replace them.
THEME = {FOREGROUND: "var(--fg)", MUTED: "var(--muted)", GRID: "var(--grid)"}


def id_tag(name: str) -> str:
    """Return the beginning of the ids of a figure, which keeps figures on one page apart."""
    return f"{zlib.crc32(name.encode()):x}"


def figure_svg(drawn: Drawn, name: str, title: str) -> str:
    """Return a figure as SVG text in matplotlib's structure: without metadata, its ids and coordinates short, with a title."""
    buffer = io.StringIO()
    # Ids are hashes with this salt, so two figures on one page share none; a fixed date keeps the bytes fixed.
    with figure_style(), mpl.rc_context({"svg.hashsalt": name}):
        # Not by savefig, which would draw the figure twice.
        FigureCanvasSVG(drawn.figure).print_svg(
            buffer, metadata={"Date": None, "Creator": None, "Type": None, "Format": None}
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # Short names for what is referred to, and none for the rest.
    tag = id_tag(name)
    short = {m: f"{tag}-{i:x}" for i, m in enumerate(dict.fromkeys(re.findall(r'(?:url\(#|href="#)([^")]+)', text)))}
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{short[m[1]]}"' if m[1] in short else "", text)
    text = re.sub(r'(url\(#|href="#)([^")]+)', lambda m: m[1] + short[m[2]], text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # A tenth of a point is finer than any screen; with the blanks between tags and in styles gone, it halves the file.
    # Inside tags alone: what stands between them is text for the reader.
    text = re.sub(r"<[^>]+>", lambda m: re.sub(r"(\d\.\d)\d+", r"\1", m[0]), text)
    text = re.sub(r">\s+<", "><", text)
    text = re.sub(r'style="([^"]*)"', lambda m: f'style="{m[1].replace("; ", ";").replace(": ", ":")}"', text)
    # As wide as drawn, and no wider: text keeps its size from figure to figure.
    size = r'width="([\d.]+)pt" height="[\d.]+pt"'
    text = re.sub(size, lambda m: f'width="{1.45 * float(m[1]):.0f}"', text.replace("\n", " "), count=1)
    escaped = str(Markup.escape(title))
    return re.sub(r"(<svg [^>]*>)", rf'\g<1><title id="{name}-title">{escaped}</title>', text, count=1)


def page_svg(text: str, name: str) -> Markup:
    """Return SVG text for the page: compact, in the colours of the page's theme, labelled by its title."""
    text = compact(text, id_tag(name)).replace(' xlink:href="#', ' href="#')
    for colour, variable in THEME.items():
        text = text.replace(colour, variable)
    return Markup(text.replace("<svg ", f'<svg role="img" aria-labelledby="{name}-title" ', 1))


def standalone(text: str) -> str:
    """Return an SVG file of its own: with a white ground, because its ink is dark."""
    text = text.replace("<svg ", '<svg style="background:#fff" ', 1)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}'
