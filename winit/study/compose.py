"""Compose a study from conf/ and overrides, and read and write frozen studies."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from winit.study import composition, conf, yaml_files
from winit.study.keys import TEXT_KEYS
from winit.study.model import Study
from winit.study.validation import check


def validate(tree: Mapping[str, object]) -> Study:
    """Turn resolved settings into a Study.

    Args:
        tree: nested mappings, as read from YAML or composed by Hydra.

    Raises:
        ValueError: the settings are invalid; one sentence names the key, the value and what is allowed.
    """
    return Study(check(tree))


def compose(overrides: Sequence[str] = ()) -> Study:
    """Resolve a study from conf/ and overrides in Hydra's syntax: `["study=smoke", "grid.depth=[2,4]"]`.

    Extra grids are inherited as long as the question stays the same. If a study's file or an override sets the dataset, the
    task or a factor of the grid without setting `extra_grids`, the inherited extra grids are dropped. If it also sets
    `extra_grids`, they are inherited and merged with the given ones (null removes one). Setting learning rates or replicates
    does not change the question.

    Raises:
        ValueError: the overrides or the files are invalid; the message is one sentence.
    """
    return validate(composition.compose(overrides))


def study_names() -> list[str]:
    """Return the names of the studies in conf/, in the order of the alphabet."""
    return list(conf.files("study"))


def resolve(config: Mapping[str, object]) -> Study:
    """Return the study of a workflow's configuration. Every way to start a study resolves it here.

    Args:
        config: a frozen study (it has a `grid`), or `study` and `overrides`, both optional. `overrides` is a list of
            arguments as for winit's command line, or one string of overrides separated by blanks.
    """
    if "grid" in config:
        return validate(config)
    extra = set(config) - {"study", "overrides"}
    if extra:
        raise ValueError(
            f"unknown key '{sorted(extra)[0]}' in --config; choose from study, overrides "
            '(overrides="grid.depth=[2,4] training.steps=100")'
        )
    overrides = config.get("overrides") or []
    if isinstance(overrides, str):
        overrides = re.findall(r"(?:[^\s\[\]{}'\"]|\[[^\]]*\]|\{[^}]*\}|'[^']*'|\"[^\"]*\")+", overrides)
    if not isinstance(overrides, list):
        raise ValueError(f'overrides: got {overrides!r}; write overrides="key=value key=value"')
    overrides = [str(o) for o in overrides]
    if "study" in config:
        return compose([f"study={_study_name(config['study'])}", *overrides])
    return from_arguments(overrides)


def _study_name(given: object) -> str:
    """Return the name of a study's file. Snakemake reads `study=1e5` as a number, so compare with the existing files.

    Raises:
        ValueError: no file, or more than one, has a name that Snakemake reads as this value.
    """
    if isinstance(given, str):
        return given
    names = [name for name in study_names() if _as_snakemake_types(name) == given]
    if len(names) != 1:
        raise ValueError(
            f"study: got {given}, because Snakemake reads names like 1e5 and 007 as numbers; "
            f'write overrides="study=<name>" instead'
        )
    return names[0]


def _as_snakemake_types(text: str) -> object:
    """Return how Snakemake reads a value in --config."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"True": True, "False": False}.get(text, text)


def from_arguments(arguments: Sequence[str]) -> Study:
    """Return the study of a command line: overrides, or the path of one frozen study.yaml without overrides."""
    first = arguments[0] if arguments else ""
    if first.endswith((".yaml", ".yml")) and ("=" not in first or os.path.isfile(first)):
        if len(arguments) > 1:
            raise ValueError(f"a frozen study takes no overrides; got {' '.join(arguments[1:])}")
        return read(Path(first))
    return compose(arguments)


def read(path: Path) -> Study:
    """Read a frozen study.

    Raises:
        ValueError: one sentence that names the file or the key.
    """
    if not os.path.exists(path):  # False also for a path that is too long
        raise ValueError(
            f"no study at {yaml_files.shortened(path)}; "
            "give the study.yaml of an earlier run, or overrides such as study=smoke"
        )
    tree = yaml_files.read(path, TEXT_KEYS)
    if not isinstance(tree, Mapping):
        raise ValueError(f"{yaml_files.shortened(path)} is not a study: it does not contain a mapping of settings")
    return validate(tree)


def dump(study: Study) -> str:
    """Return the study as YAML, the content of `results/<study>/study.yaml`. It is sufficient to run the study again."""
    head = f"# The resolved study, frozen. Run it again: winit run results/{study.name}/study.yaml --cores 2\n"
    return head + yaml_files.dump(study.settings)
