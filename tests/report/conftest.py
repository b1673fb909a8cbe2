"""One finished study for all tests of the report."""

from __future__ import annotations

import pytest

from tests.report.made import made_of
from winit.study.compose import compose


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A small study, trained and reported, with a question that is hostile to a careless page."""
    root = tmp_path_factory.mktemp("study")
    study = compose(
        [
            "study=smoke", "extra_grids=null", "grid.depth=[2,3]", "grid.width=[12]", "training.steps=30", "dataset=[digits,spirals]",
            'question="</script><script>document.title=1</script> & why?"', "grid.initializer=[zeros,normal:1,he_normal,kumar,torch_default]",
            "measure.histogram_bins=8",
        ]
    )  # fmt: skip
    return study, *made_of(study, root)
