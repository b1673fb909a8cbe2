"""One finished study for all tests of the report."""

from __future__ import annotations

import pytest

from tests.report.made import made_at, make
from winit.study.compose import compose


@pytest.fixture(scope="session")
def made(shared):
    """A small study, trained and reported, with a question that is hostile to a careless page."""
    study = compose(
        [
            "study=smoke", "extra_grids=null", "grid.depth=[2,3]", "grid.width=[12]", "training.steps=30",
            "measure.budgets=[10]", "dataset=[digits,spirals]",
            'question="</script><script>document.title=1</script> & why?"', "grid.initializer=[zeros,normal:1,he_normal,kumar,torch_default]",
            "measure.histogram_bins=8",
        ]
    )  # fmt: skip
    return study, *made_at(study, shared("report", lambda root: make(study, root)))
