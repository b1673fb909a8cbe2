"""The sentence for a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_LIST = 16  # names that are printed whole


def unknown_name(kind: str, given: str, allowed: Iterable[str], listed_in: str = "") -> str:
    """Return the sentence for a name that does not exist, with the nearest names that do.

    Args:
        kind: what the name is of: `activation`.
        given: the unknown name.
        allowed: all names that exist. Up to 16 are printed; of more only the three nearest to `given` are.
        listed_in: where a long list can be read, as a file or a command: `README.md`.
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
