"""The packages as one table: what each may import, and what it contains.

`python -m tests.house` prints the table that CONTRIBUTING.md shows.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "winit"

# Packages in the order of a study's way. A package imports itself and what stands beside it here, nothing else.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "vocabulary": (),
    "theory": ("vocabulary",),
    "schemes": ("vocabulary", "theory"),
    "datasets": ("vocabulary",),
    "study": ("vocabulary", "theory", "schemes", "datasets"),
    "engine": ("vocabulary", "theory"),
    "store": (),
    "training": ("vocabulary", "theory", "schemes", "datasets", "study", "engine", "store"),
    "analysis": ("vocabulary", "theory", "schemes", "datasets", "study", "store"),
    "report": ("vocabulary", "theory", "schemes", "datasets", "study", "store", "analysis"),
    "workflow": ("vocabulary", "study", "store"),
    "terminal": ("workflow",),
    "jobs": ("vocabulary", "study", "store", "training", "analysis", "report", "workflow"),
    "tools": ("vocabulary", "theory", "schemes", "datasets", "study", "engine", "store", "training", "analysis", "report", "workflow"),
    "cli": (
        "vocabulary", "theory", "schemes", "datasets", "study", "engine", "store", "training", "analysis", "report", "workflow", "terminal",
        "jobs", "tools",
    ),
    "__main__": ("cli",),
}  # fmt: skip

# Importing these packages must not import those libraries: planning is light, and a page is drawn without torch.
MUST_NOT_LOAD: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("vocabulary", "theory", "schemes", "datasets", "study", "store", "workflow"), ("torch", "pandas", "matplotlib")
    ),
    **dict.fromkeys(("analysis", "report"), ("torch",)),
}

LONGEST_MODULE, LONGEST_FUNCTION = 400, 60  # lines
# What may be longer, and why.
LONG_MODULES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


def modules() -> list[Path]:
    """Return every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """Return a module's dotted name: `winit.theory.maps`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """Return the package of a module, or the module itself at the top level; '' for `winit`."""
    return [*module.split("."), ""][1]


def imports(path: Path) -> Iterator[tuple[str, str, int]]:
    """Yield (module, imported name or '', line) for every import of a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "", node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name, node.lineno) for alias in node.names)


def imported_modules(path: Path) -> Iterator[tuple[str, int]]:
    """Yield (module, line) for every module of winit that a file imports."""
    known = {name_of(p) for p in modules()}
    for module, name, line in imports(path):
        if module.split(".")[0] == "winit":
            yield (f"{module}.{name}" if f"{module}.{name}" in known else module), line


def table() -> str:
    """Return the house as a Markdown table; what a package holds is the first line of its docstring."""
    lines = ["| package | may import | holds |", "|---|---|---|"]
    for room, allowed in MAY_IMPORT.items():
        if room == "__main__":
            continue
        holds = (importlib.import_module(f"winit.{room}").__doc__ or "").strip().splitlines()[0].rstrip(".")
        beyond = [other for other in MAY_IMPORT if other not in (room, "cli", "__main__") and other not in allowed]
        text = "all" if not beyond else ", ".join(f"`{other}`" for other in allowed) or "–"
        lines.append(f"| `{room}` | {text} | {holds} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
