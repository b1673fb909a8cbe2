"""The rules of the house: imports point down, randomness is named, nothing is called utils."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "winit"

# A module may import those of lower layers, and those named for it within its own.
LAYERS = {
    0: {
        "catalog",
        "stats",
        "data",
        "settings",
        "conf",
        "yaml_files",
        "progress",
        "memory",
        "locks",
        "mnist",
        "functions",
        "activations",
        "regularization",
        "vector",
        "compact",
    },
    1: {"study", "network", "tables", "tiles", "meanfield"},
    2: {
        "store",
        "initializers",
        "calibrate",
        "autoencoder",
        "rbm",
        "probes",
        "kernel",
        "figures",
        "findings",
        "provenance",
        "chapters",
        "measures",
        "comparisons",
        "ranking",
        "ranking_figures",
        "state_figures",
        "baselines",
        "pretraining_figures",
        "interactive",
    },
    3: {"claims", "workflow", "pretrain", "train", "aggregate", "cards", "replay", "report"},
    4: {"cli"},
    5: {"__main__"},
}
SAME_LAYER = {
    "activations": {"memory", "functions"},
    "regularization": {"memory"},
    "data": {"catalog", "mnist"},
    "settings": {"catalog", "data", "yaml_files"},
    "conf": {"catalog", "settings", "yaml_files"},
    "report": {"cards"},
    "ranking": {"comparisons"},
    "measures": {"comparisons"},
    "aggregate": {"claims"},
    "ranking_figures": {"figures"},
    "state_figures": {"comparisons", "figures"},
    "pretraining_figures": {"comparisons", "figures"},
    "interactive": {"figures", "findings"},
    "train": {"pretrain"},
}
LIGHT = {"study", "conf", "yaml_files", "settings", "catalog", "tables", "store", "progress", "locks", "provenance", "workflow", "cli"}  # planning imports these
HEAVY = {"torch", "pandas", "matplotlib", "seaborn", "sklearn", "jinja2"}
MODULES = sorted(path for path in PACKAGE.glob("*.py") if path.stem != "__init__")


def layer_of(name: str) -> int:
    return next(layer for layer, names in LAYERS.items() if name in names)


def imports(path: Path, top_level_only: bool = False):
    """Yield (module, line) for every import of a file."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "winit":
                yield from ((f"winit.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_imports_point_down(path):
    mine = layer_of(path.stem)
    for module, line in imports(path):
        if not module.startswith("winit."):
            continue
        other = module.split(".")[1]
        if other == "__version__":
            continue
        allowed = layer_of(other) < mine or other in SAME_LAYER.get(path.stem, set())
        assert allowed, (
            f"{path.name}:{line} imports {other}, which lies in layer {layer_of(other)}; {path.stem} is in layer {mine}"
        )


def test_every_module_has_a_place():
    placed = set().union(*LAYERS.values())
    assert {path.stem for path in MODULES} == placed


@pytest.mark.parametrize("name", sorted(LIGHT))
def test_light_modules_import_nothing_heavy(name):
    for module, line in imports(PACKAGE / f"{name}.py", top_level_only=True):
        assert module.split(".")[0] not in HEAVY, (
            f"{name}.py:{line} imports {module} at the top: a plan must stay light"
        )


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_randomness_is_named(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            dotted = ast.unparse(node)
            assert dotted != "torch.manual_seed", f"{path.name}:{node.lineno} reseeds torch for everybody"
            if dotted.startswith(("np.random.", "numpy.random.")):
                allowed = re.split(r"\W", dotted)[2] in {"default_rng", "Generator"}
                assert allowed, f"{path.name}:{node.lineno} uses {dotted}; take a generator from study.seed"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_every_public_thing_is_documented(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path.name} has no docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path.name}:{node.lineno} {node.name} has no docstring"


def test_no_room_for_odds_and_ends():
    assert not {"utils", "helpers", "common", "misc"} & {path.stem for path in PACKAGE.rglob("*.py")}
