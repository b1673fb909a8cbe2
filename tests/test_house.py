"""Structure of the code: allowed imports, small modules, distinct names, named random streams."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict

import pytest

from tests import house

MODULES = house.modules()
NAMES = [house.name_of(path) for path in MODULES]


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_a_package_imports_what_the_table_allows(path):
    room = house.room_of(house.name_of(path))
    for module, line in house.imported_modules(path):
        other = house.room_of(module)
        allowed = not other or other == room or other in house.MAY_IMPORT[room]
        assert allowed, (
            f"{path}:{line} imports {module}, but {room} may import {', '.join(house.MAY_IMPORT[room]) or 'nothing'}"
        )


def test_every_package_stands_in_the_table():
    rooms = {house.room_of(name) for name in NAMES} - {""}
    assert rooms == set(house.MAY_IMPORT)


def test_the_table_has_no_cycle():
    seen: list[str] = []
    for room, allowed in house.MAY_IMPORT.items():
        assert set(allowed) <= set(seen), f"{room} stands before something that it imports"
        seen.append(room)


def test_no_modules_import_one_another_in_a_circle():
    edges = {house.name_of(path): {module for module, _ in house.imported_modules(path)} for path in MODULES}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"modules import one another: {' → '.join([*trail[trail.index(name) :], name])}"
        if name in done:
            return
        for other in edges.get(name, ()):
            if other != name:
                visit(other, (*trail, name))
        done.add(name)

    for name in edges:
        visit(name, ())


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_no_module_imports_what_is_private_to_another(path):
    for module, name, line in house.imports(path):
        if module.split(".")[0] == "winit":
            private = name.startswith("_") and not name.startswith("__")
            assert not private, f"{path}:{line} imports {name}, which is private to {module}"


@pytest.mark.parametrize("room", house.MUST_NOT_LOAD)
def test_light_packages_load_nothing_heavy(room):
    names = [name for name in NAMES if house.room_of(name) == room]
    heavy = house.MUST_NOT_LOAD[room]
    code = f"import sys\nfor name in {names}:\n    __import__(name)\nprint(*[m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=house.ROOT, check=True)
    assert not done.stdout.strip(), f"importing winit.{room} loads {done.stdout.strip()}"


def functions(path):
    """Yield (qualified name, lines) of every function of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield f"{house.name_of(path)}.{node.name}", node.end_lineno - node.lineno + 1


def test_modules_and_functions_are_small():
    lengths = {house.name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    long = {name for name, lines in lengths.items() if lines > house.LONGEST_MODULE}
    assert long == set(house.LONG_MODULES), f"modules over {house.LONGEST_MODULE} lines: {sorted(long)}"
    long = {name for path in MODULES for name, lines in functions(path) if lines > house.LONGEST_FUNCTION}
    assert long == set(house.LONG_FUNCTIONS), f"functions over {house.LONGEST_FUNCTION} lines: {sorted(long)}"
    assert len(house.LONG_MODULES) <= 5 and len(house.LONG_FUNCTIONS) <= 5


def test_no_two_classes_have_one_name():
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(house.name_of(path))
    assert not {name: where for name, where in places.items() if len(where) > 1}


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_randomness_is_named(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            dotted = ast.unparse(node)
            assert dotted != "torch.manual_seed", f"{path}:{node.lineno} reseeds torch for everybody"
            if dotted.startswith(("np.random.", "numpy.random.")):
                allowed = re.split(r"\W", dotted)[2] in {"default_rng", "Generator"}
                assert allowed, f"{path}:{node.lineno} uses {dotted}; take a generator from winit.study.seeds"


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_every_public_thing_is_documented(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{path} has no docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path}:{node.lineno} {node.name} has no docstring"


def test_no_module_is_for_odds_and_ends():
    assert not {"utils", "helpers", "common", "misc"} & {path.stem for path in MODULES}


def test_tests_mirror_the_package():
    """tests/<folder>/test_<module>.py tests winit/<folder>/<module>.py; folders without modules hold templates."""
    for path in (house.ROOT / "tests").rglob("test_*.py"):
        folder, module = path.parent.relative_to(house.ROOT / "tests"), path.stem.removeprefix("test_")
        if folder.parts and any((house.PACKAGE / folder).glob("*.py")):
            names = {p.stem for p in (house.PACKAGE / folder).iterdir()} | {folder.name}  # the package as a whole
            assert module in names, f"{path} tests no module of winit/{folder}"
        elif folder.parts:
            assert (house.PACKAGE / folder).is_dir(), f"{path} lies in a folder that winit has not"


def test_contributing_shows_the_table():
    shown = (house.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert house.table() in shown, "CONTRIBUTING.md shows another table; print it with: python -m tests.house"
