"""Documents with places that are filled in: a text or a table between two comments, `<!-- study.runs -->…<!-- / -->`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from winit.vocabulary.errors import unknown_name

PLACE = re.compile(r"<!-- ([a-z_]+\.[a-z_]+) -->(.*?)<!-- / -->", re.DOTALL)

BAR = r"\|"  # a bar in a cell of a table, which would end it

Values = dict[str, str]


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return a document with its places filled in.

    Args:
        text: the document.
        values: what stands between the comments, by name.

    Raises:
        ValueError: one sentence, for a name that there is none of.
    """

    def filled(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise ValueError(unknown_name("figure", name, values))
        return f"<!-- {name} -->{values[name]}<!-- / -->"

    return PLACE.sub(filled, text)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], texts: int | None = None) -> str:
    """Return a table in Markdown, as a block of its own.

    Args:
        heads: of the columns.
        rows: the cells.
        texts: how many columns, from the left, hold text; the others hold numbers, aligned to the right. None: all.
    """
    texts = len(heads) if texts is None else texts
    rule = "|" + "---|" * texts + "--:|" * (len(heads) - texts)
    head, *body = [f"| {' | '.join(text.replace('|', BAR) for text in line)} |" for line in (heads, *rows)]
    return block("\n".join([head, rule, *body]))


def literal(text: str) -> str:
    """Return a text in which no word in angle brackets is taken for HTML: `results/<name>/`. Code is left as it is."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"<(?=[a-z])", "&lt;", part) for part in parts)


def block(text: str) -> str:
    """Return a text of several lines as it stands between two comments: blank lines keep Markdown from joining them to it."""
    return f"\n\n{literal(text)}\n\n"
