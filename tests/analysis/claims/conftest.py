"""Fixtures of the tests of claims."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.analysis.claims.made_up import declared
from winit.analysis.claims.judging import judge
from winit.store.schema import TABLES


@pytest.fixture
def judged(tmp_path):
    """Judge one claim of one contrast; return its row of the ledger, and the cells'."""

    def judge_one(made: dict[str, pd.DataFrame], *contrasts: dict, **more: bool) -> tuple[pd.Series, pd.DataFrame]:
        both = judge(declared(tmp_path, *contrasts), made, **more)
        assert list(both["claims"]) == list(TABLES["claims"])
        assert list(both["claims_evidence"]) == list(TABLES["claims_evidence"])
        return both["claims"].iloc[0], both["claims_evidence"]

    return judge_one
