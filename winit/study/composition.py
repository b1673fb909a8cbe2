"""Compose the files of conf/ and overrides in Hydra's syntax to one tree of settings.

Hydra composes, but does not read files: `yaml_files` reads them and passes the trees to Hydra. Along the way, keys of older
versions are renamed, text is kept as written, and inherited extra grids are dropped if the study asks a different question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from winit.study import conf, yaml_files
from winit.study.keys import (
    TEXT_KEYS,
    drops_extra_grids,
    flatten,
    refuse_both_names,
    takes_all_datasets,
    with_current_keys,
)
from winit.study.overrides import Override, parse_override
from winit.vocabulary.errors import unknown_name

_PACKAGE = re.compile(r"^#\s*@package\s+(\S+)\s*$")


@dataclass(frozen=True)
class ConfFile:
    """A file of conf/ that a study is composed from: its tree, and the keys that it sets itself."""

    group: str
    name: str
    package: str | None
    tree: Mapping[str, object]
    own_keys: set[str]


@dataclass
class ConfFiles:
    """The files that a study is composed from, inherited ones first."""

    groups: Mapping[str, Mapping[str, Path]]  # the files of each group by name
    overridden: set[str]  # groups chosen by an override; choices of files in these groups are ignored
    read: dict[tuple[str, str], ConfFile] = field(default_factory=dict)
    _reading: list[tuple[str, str]] = field(default_factory=list)

    def add(self, group: str, name: str) -> None:
        """Read a file and the files in its defaults list, unless they were read before."""
        if (group, name) in self.read:
            return
        path = self.groups[group][name] if group else conf.shipped("conf") / f"{name}.yaml"
        label = f"conf/{group}/{name}.yaml" if group else f"conf/{name}.yaml"
        if (group, name) in self._reading:
            raise ValueError(f"{label}: defaults: {name} inherits from itself; give one of the files another name")
        self._reading.append((group, name))
        tree, package = _read_tree(path, label)
        if group == "study" and package != "_global_":
            raise ValueError(f"{label} must begin with the line '# @package _global_'")
        entries = _defaults(tree, group, label)
        keys = {key for key, _ in flatten({k: v for k, v in tree.items() if k != "defaults"})}
        keys |= {chosen for chosen, _ in entries if chosen != group}
        for chosen, parent in entries:
            if chosen in self.overridden and chosen != group:
                continue
            if chosen not in self.groups:
                raise ValueError(f"{label}: defaults: {unknown_name('group', chosen, self.groups)}")
            if parent not in self.groups[chosen]:
                raise ValueError(f"{label}: defaults: {unknown_name(chosen, parent, self.groups[chosen])}")
            self.add(chosen, parent)
        if group == "study" and drops_extra_grids(keys):
            tree["extra_grids"] = None
        if group == "study" and takes_all_datasets(keys):
            tree["grid"] = {**tree.get("grid", {}), "dataset": []}
        self.read[group, name] = ConfFile(group, name, package, tree, keys)

    @property
    def extra_grids(self) -> list[str]:
        """The names of the extra grids that remain after reading the study's files."""
        names: dict[str, bool] = {}
        for file in self.read.values():
            grids = file.tree.get("extra_grids", {}) if file.group in ("", "study") else {}
            if grids is None:
                names.clear()
            elif isinstance(grids, Mapping):
                names |= {str(name): grid is not None for name, grid in grids.items()}
        return [name for name, is_in in names.items() if is_in]


def _read_tree(path: Path, label: str) -> tuple[dict[str, Any], str | None]:
    """Return the settings of a file of conf/, and the package named in its first lines."""
    text = yaml_files.read_text(path)
    comments = (line for line in text.splitlines()[:20] if line.startswith("#"))
    package = next((match[1] for match in map(_PACKAGE.match, comments) if match), None)
    tree = yaml_files.read(path, TEXT_KEYS)
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise ValueError(f"{label}: got {yaml_files.shortened(tree)}; allowed is a mapping of settings")
    try:
        return with_current_keys(tree), package
    except ValueError as reason:
        raise ValueError(f"{label}: {reason}") from None


def _defaults(tree: Mapping[str, object], group: str, label: str) -> list[tuple[str, str]]:
    """Return the files that a defaults list names, as pairs of group and name."""
    given = tree.get("defaults") or []
    if not isinstance(given, list):
        raise ValueError(f"{label}: defaults: got {given}; write a list: defaults: [default]")
    files: list[tuple[str, str]] = []
    for entry in given:
        if isinstance(entry, Mapping):
            for key, names in entry.items():
                chosen = str(key).removeprefix("override ").strip().removeprefix("/")
                names = names if isinstance(names, list) else [names]
                files += [(chosen, str(name)) for name in names if name is not None]
        elif entry != "_self_":
            files.append((group, str(entry)))
    return files


def compose(overrides: Sequence[str]) -> dict[str, object]:
    """Compose the settings of a study. Check only what composition needs.

    Args:
        overrides: in Hydra's syntax.

    Raises:
        ValueError: the overrides or the files are invalid; the message is one sentence.
    """
    groups = {group: conf.files(group) for group in conf.GROUPS}
    given = [parse_override(text, groups) for text in overrides]
    refuse_both_names(override.given for override in given)
    keys = {override.key for override in given}
    files = ConfFiles(groups, keys & set(groups))
    files.add("", "config")
    study = "default"
    for override in given:
        if override.key in groups:
            names = override.value if isinstance(override.value, list) else [override.value]
            for name in names:
                files.add(override.key, str(name))
            study = str(names[-1]) if override.key == "study" else study
    _check_extra_grids(given, files.extra_grids)
    tree = _merged(files, [override.hydra for override in given if override.hydra], overrides)
    _set_texts(tree, {override.key: override.value for override in given if not override.hydra})
    if drops_extra_grids(keys):
        tree["extra_grids"] = None
    if takes_all_datasets(keys) and isinstance(tree.get("grid"), dict):
        tree["grid"] = {**tree["grid"], "dataset": []}  # type: ignore[dict-item]
    _drop_inherited_shape(tree, keys if "task" in keys else keys | files.read["study", study].own_keys)
    _drop_inherited_budgets(tree, keys, files.read["study", study].own_keys)
    if tree.get("name") is None:
        tree["name"] = study
    return tree


def _check_extra_grids(given: Sequence[Override], known: list[str]) -> None:
    """Raise an error if a factor is set of an extra grid that does not exist, unless the key has a plus sign."""
    for override in given:
        _, _, inner = override.key.partition("extra_grids.")
        name, dot, _ = inner.partition(".")
        if dot and name not in known and not override.given.startswith("+"):
            what = (
                unknown_name("extra grid", name, known) if known else f"unknown extra grid '{name}'; the study has none"
            )
            raise ValueError(f"extra_grids: {what} (to add a new one, write '+{override.hydra.lstrip('+')}')")
        if name:
            known = [*known, name]
        elif override.key == "extra_grids" and isinstance(override.value, Mapping):
            known = [*known, *map(str, override.value)]


def _merged(files: ConfFiles, hydra_overrides: list[str], overrides: Sequence[str]) -> dict[str, object]:
    """Return the files and overrides merged by Hydra."""
    # These imports take half of the time of a light command, so only composition pays for them.
    from hydra import compose as hydra_compose
    from hydra import initialize
    from hydra.core.config_store import ConfigStore
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    store = ConfigStore.instance()
    try:
        for file in files.read.values():
            store.store(file.name, _protected(file.tree), group=file.group or None, package=file.package)
        with initialize(version_base="1.3", config_path=None):
            config = hydra_compose("config", overrides=hydra_overrides)
        tree = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except (HydraException, OmegaConfBaseException) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        absent = re.search(r"Key '(\w+)' is not in struct full_key: dataset\.", reason)
        if absent:
            raise ValueError(
                f"dataset.{absent[1]}: the study has no dataset {absent[1]}; add dataset={absent[1]}"
            ) from None
        raise ValueError(f"cannot compose the study from {' '.join(overrides)}: {reason}") from None
    assert isinstance(tree, dict)  # composed settings are a mapping
    return {str(key): value for key, value in tree.items()}


def _protected(tree: Mapping[str, object]) -> dict[str, object]:
    """Return a tree without `${…}` in its text, which Hydra would read as interpolations. `_set_texts` restores it."""
    kept = dict(tree)
    for key in TEXT_KEYS:
        section, _, last = key.rpartition(".")
        node = kept.get(section) if section else kept
        if isinstance(node, Mapping) and isinstance(node.get(last), str):
            encoded = {**node, last: quote(node[last], errors="surrogatepass")}
            kept = kept | {section: encoded} if section else encoded
    return kept


def _set_texts(tree: dict[str, object], texts: Mapping[str, object]) -> None:
    """Set the values of text keys: those of overrides, otherwise those of the files as written."""
    for key in TEXT_KEYS:
        section, _, last = key.rpartition(".")
        node = tree.get(section) if section else tree
        if not isinstance(node, dict):
            continue
        if key in texts:
            node[last] = texts[key]
        elif isinstance(node.get(last), str):
            node[last] = unquote(node[last], errors="surrogatepass")


def _drop_inherited_shape(tree: dict[str, object], given: set[str]) -> None:
    """Remove depth and width of a deep autoencoder unless they were given. They follow from its encoder."""
    task, grid = tree.get("task"), tree.get("grid")
    if isinstance(task, Mapping) and task.get("name") == "reconstruction" and isinstance(grid, dict):
        for key in ("depth", "width"):
            if f"grid.{key}" not in given:
                grid.pop(key, None)


def _drop_inherited_budgets(tree: dict[str, object], given: set[str], own: set[str]) -> None:
    """Remove inherited budgets that training does not reach at a constant rate, unless both were given together.

    Args:
        tree: the settings.
        given: the keys of the overrides.
        own: the keys of the study's own file.
    """
    measure, training = tree.get("measure"), tree.get("training")
    trains_otherwise = any(key.partition(".")[0] == "training" for key in given)
    is_meant = "measure.budgets" in given or ("measure.budgets" in own and not trains_otherwise)
    if is_meant or not isinstance(measure, dict) or not isinstance(training, Mapping):
        return
    steps, budgets = training.get("steps"), measure.get("budgets")
    if isinstance(steps, int) and isinstance(budgets, list):
        is_constant = training.get("schedule") == "constant" and not training.get("warmup")
        measure["budgets"] = [budget for budget in budgets if is_constant and budget < steps]
