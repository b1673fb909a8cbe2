"""The error message for an unknown name, and the sentence for an error."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable

LONGEST_LIST = 16  # longest list of names that is printed completely


def unknown_name(kind: str, given: str, allowed: Iterable[str], listed_in: str = "") -> str:
    """Return the error message for an unknown name, with the most similar allowed names.

    Args:
        kind: what the name refers to, such as `activation`.
        given: the unknown name.
        allowed: all allowed names. If there are more than 16, only the three most similar ones are printed.
        listed_in: where a long list can be found, such as a command: `winit schema`.
    """
    allowed = list(allowed)
    if len(allowed) <= LONGEST_LIST:
        near = difflib.get_close_matches(given, allowed, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ";"
        return f"unknown {kind} '{given}'{hint} choose from {', '.join(allowed)}"
    near = difflib.get_close_matches(given, allowed, n=3, cutoff=0.4)
    several = f"{', '.join(near[:-1])} or {near[-1]}" if len(near) > 1 else "".join(near)
    hint = f" did you mean {several}?" if near else ""
    start = ", ".join(allowed[:3])
    where = f"{listed_in} lists all {kind}s" if listed_in else f"choose from {start}, … ({len(allowed)} in all)"
    return f"unknown {kind} '{given}';{hint} {where}"


def sentence_of(error: Exception) -> str:
    """Return an error as one line: invalid input and system errors without their type, others with it."""
    text = " ".join(str(error).splitlines())  # input may have several lines
    if isinstance(error, ValueError):
        return text
    if not isinstance(error, OSError):
        return f"{type(error).__name__}: {text}"
    reason = error.strerror or text
    if error.filename is None:
        return reason
    path = os.fspath(error.filename)
    return f"{reason}: {path if len(path) <= 120 else path[:60] + '…' + path[-40:]}"
