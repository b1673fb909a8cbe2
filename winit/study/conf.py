"""Where the files of conf/ lie: a user's in the working directory, and winit's own, which travel with the package."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
GROUPS = ("dataset", "task", "training", "pretraining", "study")  # of settings


def shipped(name: str) -> Path:
    """Return where a file or folder that winit ships lies.

    Args:
        name: `conf`, `Snakefile`, `profiles` or `environment.yml`.

    Returns:
        A path at the top of the repository in a checkout, and below `winit/shipped` in an installed wheel.
    """
    installed = PACKAGE / "shipped"
    return (installed if installed.is_dir() else PACKAGE.parent) / name


def files(group: str) -> dict[str, Path]:
    """Return the YAML files of a group of conf/ by name, in the order of their names.

    A file below `conf/` in the working directory takes the place of winit's own of the same name.

    Args:
        group: one of GROUPS, or `claims`.
    """
    folders = shipped("conf") / group, Path("conf") / group
    found = {path.stem: path for folder in folders for path in folder.glob("*.yaml")}
    return dict(sorted(found.items()))
