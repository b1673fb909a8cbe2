"""The oldest versions of the dependencies that pyproject.toml allows.

`python -m tests.lowest > lowest.txt` writes them as a constraints file: `PIP_CONSTRAINT=lowest.txt make test`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement


def pins(requirements: Iterable[str]) -> list[str]:
    """Return a pin to its lower bound for every requirement that has one."""
    pinned = []
    for needed in map(Requirement, requirements):
        for bound in needed.specifier:
            if bound.operator in (">=", "=="):
                marker = f"; {needed.marker}".replace('"', "'") if needed.marker else ""
                pinned.append(f"{needed.name}=={bound.version}{marker}")
    return pinned


if __name__ == "__main__":
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    print(*pins(project["dependencies"]), sep="\n")
