"""Figures as SVG text: small, with stable ids, and in the colours of the page."""

from __future__ import annotations

import io
import re
import zlib

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG

from winit.report.figures.style import FOREGROUND, GRID, MUTED, Drawn, figure_style

# Number of coordinate pairs after each letter of a path.
_PAIRS = {"M": 1, "L": 1, "Q": 2, "C": 3}
_TOKEN = re.compile(r"<[^>]+>|[^<]+")
_SHARED = re.compile(r' (?:style|clip-path)="[^"]*"')


def _tenths(value: int) -> str:
    """Return a number given in tenths as the shortest text: 125 → 12.5, −5 → -.5, 120 → 12."""
    sign, (whole, rest) = "-" if value < 0 else "", divmod(abs(value), 10)
    if not rest:
        return f"{sign}{whole}" if whole else "0"
    return f"{sign}{whole or ''}.{rest}"


def _joined(values: list[int]) -> str:
    """Return numbers as text, separated by blanks or minus signs."""
    text = ""
    for value in values:
        word = _tenths(value)
        text += word if not text or word[0] == "-" else f" {word}"
    return text


def path(text: str) -> str:
    """Return path data with relative coordinates, in tenths, so that rounding errors do not add up.

    Only the form written by matplotlib is converted, one letter before every group of absolute coordinates.
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
            letter = ""  # coordinates without a letter after a move would be absolute lines
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
    """Remove groups without attributes."""
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
    """Return the attributes of a shape that can be moved to a group around it; () if there are none."""
    if not token.startswith(("<path ", "<use ")) or not token.endswith("/>"):
        return ()
    attributes = tuple(_SHARED.findall(token))
    # The opacity of a group differs from that of its members where they overlap, and is not inherited.
    return () if any(re.search(r'[";]opacity:', a) for a in attributes) else attributes


def _grouped(tokens: list[str]) -> list[str]:
    """Move attributes shared by neighbouring shapes to a group around them."""
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
FEWEST = 3  # smallest number of markers in a row to convert


def _with_markers(tokens: list[str], tag: str) -> list[str]:
    """Draw rows of one symbol as markers of a path, or of the line whose vertices they are.

    A figure has thousands of symbols, and otherwise each would be an element.
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
            # Size in user units, not in line widths, and without rotation.
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
    """Return clip path, symbol (id and style) and positions of a group that repeats one symbol; None for other groups."""
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
    """Return the position in `out` of the line with these vertices; None if it was not the last path."""
    line = next((i for i in (-1, -2) if len(out) >= 2 and out[i].startswith("<path ")), None)
    if line is None or clip not in out[line] or "marker:" in out[line] or "fill:none" not in out[line]:
        return None
    vertices = [tuple(map(float, vertex)) for vertex in _VERTEX.findall(out[line])]
    return line if vertices == [tuple(map(float, point)) for point in points] else None


def _plain_ticks(text: str) -> str:
    """Remove the style of uses of a symbol if the symbol is a line with its own style."""
    own = set(re.findall(r'<path id="([^"]+)" d="[^"zZ]*" style="[^"]*stroke:#[^"]*stroke-width:[^"]*"/>', text))
    return re.sub(
        r'(<use xlink:href="#([^"]+)"[^>]*?) style="[^"]*"/>', lambda m: f"{m[1]}/>" if m[2] in own else m[0], text
    )


_FAMILY = re.compile(r"font-family:('[^'\"]+', sans-serif);")


def compact(text: str, tag: str = "") -> str:
    """Return the SVG text of a matplotlib figure, about half as long.

    Args:
        text: the figure, with coordinates of at most one decimal digit.
        tag: if given, rows of symbols become markers with ids that start with it, which is a third as long.
    """
    # matplotlib sets joins with a CSS rule for all elements, which would override inherited values on the whole page.
    text = re.sub(r"<defs><style[^>]*>\*\{stroke-linejoin: ?round; ?stroke-linecap: ?butt\}</style></defs>", "", text)
    text = text.replace("<svg ", '<svg stroke-linejoin="round" ', 1)
    text = text.replace("stroke-dashoffset:0;", "").replace(' transform="rotate(-0 ', ' data-dropped="(')
    text = re.sub(r' data-dropped="[^"]*"', "", text)
    family = _FAMILY.search(text)
    if family:  # of all text except rare text in another font
        text = text.replace(family[0], "").replace("<svg ", f'<svg font-family="{family[1]}" ', 1)
    text = _plain_ticks(text)
    tokens = _unwrapped(_TOKEN.findall(text))
    tokens = [re.sub(r'(\d)\.0(?=["\s,)])', r"\1", t) if t[0] == "<" else t for t in tokens]
    if tag:
        tokens = _with_markers(tokens, tag)
    tokens = [re.sub(r'(<path [^>]*?\bd=")([^"]*)"', lambda m: f'{m[1]}{path(m[2])}"', t) for t in tokens]
    return "".join(_grouped(tokens))


# Placeholder colours of figures, and the variables of the page that replace them.
THEME = {FOREGROUND: "var(--fg)", MUTED: "var(--muted)", GRID: "var(--grid)"}


def id_tag(name: str) -> str:
    """Return the prefix of a figure's ids, which makes ids unique on a page."""
    return f"{zlib.crc32(name.encode()):x}"


def figure_svg(drawn: Drawn, name: str, title: str) -> str:
    """Return a figure as SVG text in matplotlib's structure: without metadata, with short ids and coordinates and a title."""
    buffer = io.StringIO()
    # Ids are hashes with this salt, so figures on one page have different ids. A fixed date gives reproducible bytes.
    with figure_style(), mpl.rc_context({"svg.hashsalt": name}):
        # Do not use savefig, which would draw the figure twice.
        FigureCanvasSVG(drawn.figure).print_svg(
            buffer, metadata={"Date": None, "Creator": None, "Type": None, "Format": None}
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # Short ids for elements that are referred to; remove all others.
    tag = id_tag(name)
    short = {m: f"{tag}-{i:x}" for i, m in enumerate(dict.fromkeys(re.findall(r'(?:url\(#|href="#)([^")]+)', text)))}
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{short[m[1]]}"' if m[1] in short else "", text)
    text = re.sub(r'(url\(#|href="#)([^")]+)', lambda m: m[1] + short[m[2]], text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # A tenth of a point is finer than any screen. Without blanks between tags and in styles, it halves the file. Only
    # inside tags: the text between them is for the reader.
    text = re.sub(r"<[^>]+>", lambda m: re.sub(r"(\d\.\d)\d+", r"\1", m[0]), text)
    text = re.sub(r">\s+<", "><", text)
    text = re.sub(r'style="([^"]*)"', lambda m: f'style="{m[1].replace("; ", ";").replace(": ", ":")}"', text)
    # No wider than drawn, so that text has the same size in all figures.
    size = r'width="([\d.]+)pt" height="[\d.]+pt"'
    text = re.sub(size, lambda m: f'width="{1.45 * float(m[1]):.0f}"', text.replace("\n", " "), count=1)
    escaped = str(Markup.escape(title))
    return re.sub(r"(<svg [^>]*>)", rf'\g<1><title id="{name}-title">{escaped}</title>', text, count=1)


def page_svg(text: str, name: str) -> Markup:
    """Return SVG text for the page: compact, in the colours of the theme, labelled by its title."""
    text = compact(text, id_tag(name)).replace(' xlink:href="#', ' href="#')
    for colour, variable in THEME.items():
        text = text.replace(colour, variable)
    return Markup(text.replace("<svg ", f'<svg role="img" aria-labelledby="{name}-title" ', 1))


def standalone(text: str) -> str:
    """Return a standalone SVG file with a white background, because its lines are dark."""
    text = text.replace("<svg ", '<svg style="background:#fff" ', 1)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}'
