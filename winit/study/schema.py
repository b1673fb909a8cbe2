"""The settings of a study: every key, what it may be, and the sentence for what it may not be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from winit import datasets, schemes
from winit.datasets import DATASETS, part_sizes
from winit.study import yaml_files
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.errors import unknown_name
from winit.vocabulary.factors import (
    CORRUPTIONS,
    DECODERS,
    DEVICES,
    ENGINES,
    LOSSES,
    OPTIMIZERS,
    SCALINGS,
    SCHEDULES,
    TASKS,
    VISIBLE,
)
from winit.vocabulary.pretraining import parse_pretraining


@dataclass(frozen=True)
class Rule:
    """What a setting may be: `allowed` says it in words, `check` returns the value as it is kept or raises ValueError."""

    allowed: str
    check: Callable[[object], object]
    many: bool = False  # a non-empty list without repetitions; one bare value stands for a list of one


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def integer_in(low: int, high: int, many: bool = False) -> Rule:
    """A whole number from `low` to `high`."""

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError
        return value

    return Rule(f"a whole number from {low} to {high}", check, many)


def number_in(low: float, high: float, ends: bool = False, many: bool = False) -> Rule:
    """A number between low and high, the ends excluded unless `ends`."""

    def check(value: object) -> float:
        if isinstance(value, str):  # Snakemake's reader takes 1e-3 for text
            value = yaml_files.number(value)
        if not _is_number(value) or not (low <= value <= high if ends else low < value < high):
            raise ValueError
        return float(value)

    span = f"a number from {low:g} to {high:g}" if ends else f"a number above {low:g} and below {high:g}"
    return Rule(span, check, many)


def one_of(kind: str, names: Sequence[str], many: bool = False) -> Rule:
    """One of a list of names."""

    def check(value: object) -> str:
        if str(value) not in names:
            raise ValueError(unknown_name(kind, str(value), names))
        return str(value)

    return Rule(f"one of {', '.join(names)}", check, many)


def _initializer(value: object) -> str:
    return schemes.canonical(str(value))


def _pretraining(value: object) -> str:
    parse_pretraining(str(value))
    return str(value)


def _layers(value: object) -> int | str:
    if value != "all" and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ValueError
    return value


def _encoder(value: object) -> list[int]:
    widths = list(value) if isinstance(value, list | tuple) else [value]
    if not all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= 100_000 for n in widths):
        raise ValueError
    return widths


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _share(value: object) -> float:
    if not _is_number(value) or not 0 <= value < 1:
        raise ValueError
    return float(value)


def _words(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("got text with half a character (a lone surrogate); write the character itself") from None
    return value


def _identifier(value: object) -> str:
    if _is_number(value) or isinstance(value, date):  # of a reader that is not ours: 2024_01 has become 202401
        raise ValueError(f"got {value}, which is not text; quote the name as you want it: name: '{value}'")
    text = value if isinstance(value, str) else ""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", text):
        raise ValueError
    if text.lower() == "store":
        raise ValueError(f"got {text}, but results/store/ is where runs are kept; take another name")
    return text


RULES: dict[str, Rule] = {
    "name": Rule("letters, digits, '_', '-' and '.', at most 64", _identifier),
    "question": Rule("a sentence", _words),
    "device": one_of("device", DEVICES),
    "engine": one_of("engine", ENGINES),
    "seed": integer_in(0, 2**63 - 1),
    "data.dir": Rule("a folder's path, or auto", _words),
    "data.scaling": one_of("scaling", list(SCALINGS)),
    "task.name": one_of("task", list(TASKS)),
    "task.encoder": Rule("a list of whole numbers from 1 to 100000", _encoder),
    "task.loss": one_of("loss", LOSSES),
    "grid.initializer": Rule("a list of initializers", _initializer, many=True),
    "grid.activation": one_of("activation", list(ACTIVATIONS), many=True),
    "grid.depth": integer_in(1, 1000, many=True),
    "grid.width": integer_in(1, 100_000, many=True),
    "grid.batch_norm": Rule("true or false", _truth, many=True),
    "grid.dropout": Rule("a number from 0 to below 1", _share, many=True),
    "grid.pretraining": Rule("a list of ways of pretraining", _pretraining, many=True),
    "grid.learning_rate": number_in(1e-30, 1e30, ends=True, many=True),
    "grid.replicates": integer_in(1, 10_000),
    "grid.tuning_replicates": integer_in(0, 10_000),
    "training.optimizer": one_of("optimizer", list(OPTIMIZERS), many=True),
    "training.steps": integer_in(1, 100_000_000),
    "training.batch_size": integer_in(1, 1_000_000),
    "training.momentum": number_in(0, 0.9999, ends=True),
    "training.weight_decay": number_in(0, 1e6, ends=True),
    "training.schedule": one_of("schedule", list(SCHEDULES)),
    "training.warmup": integer_in(0, 100_000_000),
    "pretraining.layers": Rule("a whole number of at least 1, or all", _layers),
    "pretraining.steps": integer_in(1, 100_000_000),
    "pretraining.batch_size": integer_in(1, 1_000_000),
    "pretraining.optimizer": one_of("optimizer", list(OPTIMIZERS)),
    "pretraining.learning_rate": number_in(0, 1e30),
    "pretraining.momentum": number_in(0, 0.9999, ends=True),
    "pretraining.decoder": one_of("decoder", DECODERS),
    "pretraining.loss": one_of("loss", LOSSES),
    "pretraining.corruption": one_of("corruption", CORRUPTIONS),
    "pretraining.corruption_amount": number_in(0, 1e6, ends=True),
    "pretraining.rbm.visible": one_of("visible units", ("auto", *VISIBLE)),
    "pretraining.rbm.gibbs_steps": integer_in(1, 1_000_000),
    "pretraining.rbm.learning_rate": number_in(0, 1e30),
    "pretraining.rbm.real_rate": number_in(0, 1e30),
    "pretraining.rbm.momentum": number_in(0, 0.9999, ends=True),
    "pretraining.rbm.late_momentum": number_in(0, 0.9999, ends=True),
    "pretraining.rbm.early_share": number_in(0, 1, ends=True),
    "pretraining.rbm.weight_cost": number_in(0, 1e6, ends=True),
    "measure.curve_points": integer_in(2, 1000),
    "measure.layer_points": integer_in(2, 100),
    "measure.trace_points": integer_in(0, 100_000_000),
    "measure.probe_examples": integer_in(2, 1_000_000),
    "measure.histogram_bins": integer_in(0, 1000),
    "analysis.baseline": Rule("an initializer", _initializer),
    "analysis.margin": number_in(0, 1),
    "analysis.fixed_rate": number_in(1e-30, 1e30, ends=True),
    "analysis.resamples": integer_in(100, 1_000_000),
}
DATASET_RULES: dict[str, Rule] = {
    "target_accuracy": number_in(0, 1, ends=True),
    "turns": number_in(0, 100),
    "noise": number_in(0, 10, ends=True),
}

DATASET_KEYS = [
    f"dataset.{name}.{key}"
    for name, facts in datasets.DATASETS.items()
    for key in ("target_accuracy", *facts.parameters)
]
# Keys that hold other keys.
SECTIONS = list(dict.fromkeys(key.rpartition(".")[0] for key in [*RULES, *DATASET_KEYS] if "." in key))
# Keys whose values are text as written: `name: 2024_01` is not a number.
TEXT_KEYS = [key for key, rule in RULES.items() if rule.check in (_words, _identifier)]

_RENAMED = {"arms": "extra_grids"}  # since 0.2


def current_key(key: str) -> str:
    """Return the present name of a key, which may be one of an older version: `arms.x` is `extra_grids.x`."""
    first, dot, rest = key.partition(".")
    return _RENAMED.get(first, first) + dot + rest


def with_current_keys(tree: Mapping[str, object]) -> dict[str, object]:
    """Return a tree of settings with the present names of its keys, in the same order.

    Raises:
        ValueError: a key is given under both names.
    """
    refuse_both_names(map(str, tree))
    return {current_key(key) if isinstance(key, str) else key: value for key, value in tree.items()}


def refuse_both_names(given: Iterable[str]) -> None:
    """Refuse keys or overrides that use the old and the present name of a key side by side."""
    firsts = {re.split(r"[.=]", text.lstrip("+~"), maxsplit=1)[0] for text in given}
    for old, new in _RENAMED.items():
        if {old, new} <= firsts:
            raise ValueError(f"{old}: got {old} and {new}, but {old} is the old name of {new}; write {new} alone")


def flatten(tree: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted keys of nested mappings with their values."""
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{path}.")
        else:
            yield path, value


def _rules_for(tree: Mapping[str, object]) -> dict[str, Rule]:
    rules = dict(RULES)
    datasets = tree.get("dataset")
    if not isinstance(datasets, Mapping) or not datasets:
        given = f"got {json.dumps(datasets, default=str)}" if datasets else "nothing given"
        raise ValueError(f"dataset: {given}; it needs a mapping from {', '.join(DATASETS)} to their settings")
    for name in datasets:
        if name not in DATASETS:
            raise ValueError(unknown_name("dataset", str(name), DATASETS))
    for path in DATASET_KEYS:
        _, name, key = path.split(".")
        if name in datasets:
            rules[path] = DATASET_RULES[key]
    return rules


def _apply(key: str, rule: Rule, value: object) -> object:
    def one(item: object) -> object:
        try:
            return rule.check(item)
        except ValueError as reason:
            given = json.dumps(item, default=str, ensure_ascii=False)
            text = str(reason) or f"got {given}; allowed is {rule.allowed}"
            raise ValueError(f"{key}: {text}") from None

    if not rule.many:
        return one(value)
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values:
        raise ValueError(f"{key}: got an empty list []; it needs at least one value, {rule.allowed}")
    kept = [one(item) for item in values]
    for item in kept:
        if kept.count(item) > 1:
            raise ValueError(f"{key}: got {json.dumps(values, default=str)}, which lists {item} twice; once is enough")
    return kept


def check(tree: Mapping[str, object]) -> dict[str, object]:
    """Return the settings of a study, complete and in one order and spelling.

    Args:
        tree: nested mappings, as read from YAML or composed by Hydra.

    Raises:
        ValueError: with one sentence that names the key, the value given and what is allowed.
    """
    tree = with_current_keys(tree)
    _check_sections(tree)
    rules = _rules_for(tree)
    given = dict(flatten({key: value for key, value in tree.items() if key != "extra_grids"}))
    for key in given:
        if key not in rules:
            raise ValueError(unknown_name("key", key, rules, "README.md"))
    if given.get("task.name") == "reconstruction":
        given = _encoder_shape(given.get("task.encoder")) | given
    settings: dict[str, object] = {}
    for key, rule in rules.items():
        if given.get(key) is None:
            raise ValueError(f"{key}: nothing given; it needs {rule.allowed}")
        *path, last = key.split(".")
        node = settings
        for part in path:
            node = node.setdefault(part, {})
        node[last] = _apply(key, rule, given[key])
    # The datasets keep the order in which they were given.
    settings["dataset"] = {name: settings["dataset"][name] for name in tree["dataset"]}
    settings["extra_grids"] = _extra_grids(tree.get("extra_grids"), list(settings["dataset"]))
    _check_task(settings)
    _check_sizes(settings)
    for name, grid in grids(settings):
        _check_pretraining(settings, grid, f"extra_grids.{name}." if name else "grid.")
    return settings


def _check_sections(tree: Mapping[str, object]) -> None:
    """Refuse a section that is no mapping, such as `grid: 3`."""
    for section in SECTIONS:
        node: object = tree
        for part in section.split("."):
            node = node.get(part) if isinstance(node, Mapping) else None
        if node is not None and not isinstance(node, Mapping):
            keys = [key.removeprefix(f"{section}.") for key in [*RULES, *DATASET_KEYS] if key.startswith(f"{section}.")]
            given = json.dumps(node, default=str, ensure_ascii=False)
            raise ValueError(f"{section}: {section} needs a mapping with the keys {', '.join(keys)}; got {given}")


def grids(settings: Mapping[str, object]) -> list[tuple[str, dict[str, object]]]:
    """Return the grids whose runs a study unites, by name: the main one, named '', and the extra grids.

    An extra grid is the main grid with other levels of some factors. Each has all factors of the grid, and `dataset`.
    """
    base = settings["grid"] | {"dataset": list(settings["dataset"])}
    return [("", base), *((name, base | extra) for name, extra in settings["extra_grids"].items())]


def _extra_grids(given: object, datasets: list[str]) -> dict[str, dict[str, object]]:
    """Return the extra grids, checked; one that is null is left out."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        got = json.dumps(given, default=str)
        raise ValueError(f"extra_grids: got {got}; allowed is a mapping from names to grids, or null")
    rules = {key.removeprefix("grid."): rule for key, rule in RULES.items() if key.startswith("grid.")}
    rules["dataset"] = one_of("dataset of this study", datasets, many=True)
    checked = {}
    for name, levels in given.items():
        name = _apply("extra_grids", RULES["name"], str(name))
        place = f"extra_grids.{name}"
        if levels is None:
            continue
        if not isinstance(levels, Mapping) or not levels:
            raise ValueError(f"{place}: got {json.dumps(levels, default=str)}; it needs levels of {', '.join(rules)}")
        for key in levels:
            if key not in rules:
                raise ValueError(f"{place}: {unknown_name('factor', str(key), rules)}")
        checked[name] = {key: _apply(f"{place}.{key}", rules[key], value) for key, value in levels.items()}
    return checked


def _encoder_shape(encoder: object) -> dict[str, list[int]]:
    """Return depth and width of the deep autoencoder that an encoder makes; nothing for one that is not sound."""
    try:
        widths = _encoder(encoder)
    except ValueError:
        widths = []
    if not widths:
        return {"grid.depth": [1], "grid.width": [1]}  # the encoder is refused
    return {"grid.depth": [2 * len(widths) - 1], "grid.width": [max(widths)]}


def _check_task(settings: dict[str, object]) -> None:
    """Check the task; depth and width of deep autoencoders are those of their encoder, and are set."""
    task, grid = settings["task"], settings["grid"]
    encoder = task["encoder"]
    if task["name"] == "classification":
        if encoder:
            raise ValueError(
                f"task.encoder: got {encoder}, but classifiers have none; allowed is [], or task=reconstruction"
            )
        return
    if not encoder:
        raise ValueError(
            "task.encoder: got []; reconstruction needs the widths of its encoder, the code last: [256,64,16]"
        )
    if task["loss"] == "cross_entropy" and settings["data"]["scaling"] != "unit":
        raise ValueError(
            "task.loss: got cross_entropy, but inputs are standardised; allowed is squared_error, or data.scaling=unit"
        )
    if any({"depth", "width"} & set(extra) for extra in settings["extra_grids"].values()):
        raise ValueError(
            "extra_grids: got a depth or a width, but with task=reconstruction both follow from task.encoder"
        )
    for key, follows in _encoder_shape(encoder).items():
        given = grid[key.removeprefix("grid.")]
        if given != follows:
            raise ValueError(
                f"{key}: got {given}, but with task=reconstruction depth and width follow from task.encoder; remove it"
            )
    for _, one in grids(settings):
        for initializer in one["initializer"]:
            if schemes.parse(initializer).is_data_dependent:
                raise ValueError(
                    f"grid.initializer: got {initializer}, which calibrates classifiers; "
                    "with task=reconstruction allowed are schemes that look at no data"
                )


def _check_sizes(settings: Mapping[str, object]) -> None:
    batch, probe = settings["training"]["batch_size"], settings["measure"]["probe_examples"]
    sizes = [("training.batch_size", batch), ("measure.probe_examples", probe)]
    if any(is_pretrained(grid) for _, grid in grids(settings)):
        sizes.append(("pretraining.batch_size", settings["pretraining"]["batch_size"]))
    for name in settings["dataset"]:
        train, _, _ = part_sizes(name)
        for key, size in sizes:
            if size > train:
                raise ValueError(
                    f"{key}: got {size}, but {name} has {train} training examples; allowed is at most {train}"
                )
    for name, grid in grids(settings):
        if batch == 1 and True in grid["batch_norm"]:
            place = f"extra_grids.{name}" if name else "grid"
            raise ValueError(
                f"training.batch_size: got 1, but {place}.batch_norm needs at least 2 examples in a mini-batch"
            )
    steps, warmup = settings["training"]["steps"], settings["training"]["warmup"]
    if warmup >= steps:
        raise ValueError(f"training.warmup: got {warmup} of {steps} steps; allowed is less than training.steps")


def is_pretrained(grid: Mapping[str, object]) -> bool:
    """Return whether a grid has runs that are pretrained, or are as long as if they were."""
    return any(name != "none" for name in grid["pretraining"])


def _check_pretraining(settings: Mapping[str, object], grid: Mapping[str, object], place: str) -> None:
    """Check what pretraining asks of the rest of a study, in one of its grids."""
    if not is_pretrained(grid):
        return
    recipe, encoder = settings["pretraining"], settings["task"]["encoder"]
    methods = {parse_pretraining(name).method for name in grid["pretraining"]}
    shallowest = len(encoder) or min(grid["depth"])
    if recipe["layers"] != "all" and recipe["layers"] > shallowest:
        what = (
            f"the encoder has {shallowest}" if encoder else f"{place}depth has networks of {shallowest} hidden layers"
        )
        raise ValueError(
            f"pretraining.layers: got {recipe['layers']}, but {what}; allowed is at most {shallowest}, or all"
        )
    if recipe["corruption"] == "masking" and recipe["corruption_amount"] >= 1:
        raise ValueError(
            f"pretraining.corruption_amount: got {recipe['corruption_amount']:g} for masking; "
            "allowed is a number from 0 to below 1"
        )
    standardised = settings["data"]["scaling"] != "unit"
    if methods & {"autoencoder", "denoising_autoencoder"} and recipe["loss"] == "cross_entropy":
        if standardised:
            raise ValueError(
                "pretraining.loss: got cross_entropy, but inputs are standardised; "
                "allowed is squared_error, or data.scaling=unit"
            )
        for activation in grid["activation"]:
            if activation != "sigmoid":
                label = ACTIVATIONS[activation].label
                raise ValueError(
                    f"pretraining.loss: got cross_entropy, but codes of {label} can leave [0, 1]; allowed is squared_error"
                )
    if "rbm" in methods and recipe["rbm"]["visible"] == "binary" and standardised:
        raise ValueError(
            "pretraining.rbm.visible: got binary, but inputs are standardised; allowed is gaussian, or data.scaling=unit"
        )
