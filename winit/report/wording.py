"""Numbers, levels of factors and settings as text: the one place for how the page writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from winit import schemes
from winit.analysis.select import SETTING
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.factors import OPTIMIZERS
from winit.vocabulary.pretraining import pretraining_label

# The page repeats figures of all arms for each setting, and figures of the main grid for each setting and pretraining.
PRETRAINED_SETTING = [*SETTING, "pretraining"]

# How columns of names are written. Other columns are written as they are.
LABELS: dict[str, Callable[[Any], str]] = {
    "initializer": schemes.label,
    "reference_initializer": schemes.label,
    "scheme": schemes.label,
    "activation": lambda name: ACTIVATIONS[name].label,
    "pretraining": pretraining_label,
    "reference_pretraining": pretraining_label,
}


def label(column: str, value: object) -> str:
    """Return the label of a value of a column: the level `he_normal` of `initializer` is 'He normal'."""
    return LABELS.get(column, str)(value)


def percent(value: float) -> str:
    """Return a share as a percentage, with one more digit below 10 %."""
    return f"{100 * value:.1f} %" if 0 < value < 0.1 else f"{100 * value:.0f} %"


def points(value: float) -> str:
    """Return a difference of accuracies in points, '+3.2'; a dash for a missing value."""
    return "–" if value != value else f"{100 * value:+.1f}".replace("-", "−")


def listed(words: Sequence[str]) -> str:
    """Return 'a', 'a and b', 'a, b and c'."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def number(value: float) -> str:
    """Return a number with three significant digits; a dash for a missing value."""
    if value != value:
        return "–"
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "−∞"
    if value == 0 or 0.001 <= abs(value) < 10_000:
        return f"{value:.3g}".replace("-", "−")
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    superscript = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa}·10".replace("-", "−") + superscript


def scope_name(
    dataset: str, width: int, batch_norm: bool, dropout: float, optimizer: str, pretraining: str = "none"
) -> str:
    """Return the scope of a finding: dataset, optimizer and width, and the other factors where they are not the default."""
    words = [
        dataset,
        OPTIMIZERS[optimizer],
        f"width {width}",
        "batch normalization" if batch_norm else "",
        f"dropout {dropout:g}" if dropout else "",
        pretraining_label(pretraining) if pretraining != "none" else "",
    ]
    return ", ".join(word for word in words if word)


def setting_name(
    table: pd.DataFrame,
    dataset: str,
    width: int,
    batch_norm: bool,
    dropout: float,
    optimizer: str,
    pretraining: str = "",
) -> str:
    """Return the name of a setting: the dataset, and each other factor that has several values in `table`.

    An empty `pretraining` stands for all of them.
    """
    words = {
        "width": f"width {width}",
        "batch_norm": "batch normalization" if batch_norm else "no normalization",
        "dropout": f"dropout {dropout:g}" if dropout else "no dropout",
        "optimizer": OPTIMIZERS[optimizer],
        "pretraining": pretraining_label(pretraining) if pretraining else "",
    }
    words = {factor: text for factor, text in words.items() if text}
    return ", ".join([str(dataset), *(text for factor, text in words.items() if table[factor].nunique() > 1)])
