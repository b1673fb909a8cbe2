"""Files of conf/: those of the user in the working directory, and those that are installed with the package."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
GROUPS = ("dataset", "task", "training", "pretraining", "study")  # of settings


def shipped(name: str) -> Path:
    """Return the path of a file or folder that is installed with winit.

    Args:
        name: `conf`, `Snakefile`, `profiles` or `environment.yml`.

    Returns:
        A path at the top of the repository in a checkout, or in `winit/shipped` in an installed wheel.
    """
    installed = PACKAGE / "shipped"
    return (installed if installed.is_dir() else PACKAGE.parent) / name


def files(group: str) -> dict[str, Path]:
    """Return the YAML files of a group of conf/ by name, in the order of their names.

    A file in `conf/` in the working directory replaces the installed one of the same name.

    Args:
        group: one of GROUPS, or `claims`.
    """
    folders = shipped("conf") / group, Path("conf") / group
    found = {path.stem: path for folder in folders for path in folder.glob("*.yaml")}
    return dict(sorted(found.items()))
