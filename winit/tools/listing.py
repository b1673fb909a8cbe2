"""Lists of initializers, activations, datasets, and studies with their state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from winit import datasets, schemes
from winit.store import provenance
from winit.study import compose
from winit.study.model import Study
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.errors import sentence_of, unknown_name
from winit.workflow.paths import StudyPaths
from winit.workflow.session import Needed

Row = Mapping[str, object]


@dataclass(frozen=True)
class StudyState:
    """A study and its state.

    Attributes:
        name: of its file in conf/study/, or of its folder in results/.
        question: its question.
        stored, runs: runs in the store, and the largest possible number of runs.
        page: `current`, `out of date` or `none`.
        error: why the study cannot be read, or "".
    """

    name: str
    question: str
    stored: int
    runs: int
    page: str
    error: str = ""


def initializers() -> list[Row]:
    """Return every initialization scheme, with example values for its parameters, and every modifier."""
    plain: list[Row] = [
        {"name": scheme.example, "label": schemes.label(scheme.example)}
        | {"variance": scheme.variance, "source": scheme.source}
        for scheme in schemes.SCHEMES.values()
    ]
    modified: list[Row] = [
        {"name": f"he_normal+{name}", "label": modifier.label, "variance": "", "source": modifier.source}
        for name, modifier in schemes.MODIFIERS.items()
    ]
    return plain + modified


def activations() -> list[Row]:
    """Return every activation."""
    return [{"name": name, "label": phi.label, "formula": phi.formula} for name, phi in ACTIVATIONS.items()]


def available_datasets() -> list[Row]:
    """Return every dataset, with its sizes."""
    return [
        {"name": name, "label": data.label, "examples": data.examples, "inputs": data.inputs, "classes": data.classes}
        | {"needs_files": data.needs_files}
        for name, data in datasets.DATASETS.items()
    ]


def studies() -> list[Row]:
    """Return the studies of conf/ and of results/, with their state."""
    return [asdict(state) for state in _states()]


def _states() -> Iterator[StudyState]:
    names = compose.study_names()
    for name in names:
        yield _read(name, partial(compose.compose, [f"study={name}"]))
    for path in sorted(Path("results").glob("*/study.yaml")):
        if path.parent.name not in names:
            yield _read(path.parent.name, partial(compose.read, path))


def _read(name: str, read: Callable[[], Study]) -> StudyState:
    try:
        return state(read())
    except (ValueError, OSError) as reason:
        return StudyState(name, "", 0, 0, "none", sentence_of(reason))


def state(study: Study) -> StudyState:
    """Return the state of a study in this folder."""
    paths = StudyPaths(study.name)
    needed = [Needed.of(workload, paths.store) for workload in study.workloads]
    stored, runs = sum(each.done for each in needed), sum(each.total for each in needed)
    return StudyState(study.name, study.question, stored, runs, _page(study, paths, is_trained=stored == runs))


def _page(study: Study, paths: StudyPaths, is_trained: bool) -> str:
    """Return whether there is a page, and whether it is current."""
    page, record = paths.report, paths.provenance
    if not page.is_file():
        return "none"
    if not is_trained or not record.is_file() or provenance.read(record).get("digest") != study.digest:
        return "out of date"
    return "current" if page.stat().st_mtime >= record.stat().st_mtime else "out of date"


KINDS: dict[str, Callable[[], list[Row]]] = {
    "initializers": initializers,
    "activations": activations,
    "datasets": available_datasets,
    "studies": studies,
}


def rows(kind: str) -> list[Row]:
    """Return everything of a kind.

    Args:
        kind: initializers, activations, datasets or studies.

    Raises:
        ValueError: the kind is unknown.
    """
    if kind not in KINDS:
        raise ValueError(unknown_name("kind", kind, KINDS))
    return KINDS[kind]()


def lines(kind: str, found: list[Row]) -> list[str]:
    """Return everything of a kind as lines of text: a column of names, followed by descriptions."""
    width = max((len(str(row["name"])) for row in found), default=0)
    return [f"{row['name']!s:{width}}  {_text(kind, row)}" for row in found]


def _text(kind: str, row: Row) -> str:
    if kind == "initializers":
        return f"{row['label']}" + (f": Var(w) = {row['variance']}" if row["variance"] else "")
    if kind == "activations":
        return f"{row['label']}: φ(z) = {row['formula']}"
    if kind == "datasets":
        files = ", from files" if row["needs_files"] else ""
        return f"{row['label']}: {row['examples']:,} examples, {row['inputs']} inputs, {row['classes']} classes{files}"
    if row["error"]:
        return f"cannot be read: {row['error']}"
    page = {"none": "no page", "current": "page is current", "out of date": "page is out of date"}[str(row["page"])]
    runs = f"{row['stored']:,}" + ("" if row["stored"] == row["runs"] else f" of up to {row['runs']:,}")
    return f"{runs} runs stored, {page}: {row['question']}"
