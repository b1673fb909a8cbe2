"""The sentence for a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def unknown_name(kind: str, given: str, allowed: Iterable[str]) -> str:
    """Return the sentence for a name that does not exist, with the nearest name that does."""
    allowed = list(allowed)
    near = difflib.get_close_matches(given, allowed, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ";"
    return f"unknown {kind} '{given}'{hint} choose from {', '.join(allowed)}"
