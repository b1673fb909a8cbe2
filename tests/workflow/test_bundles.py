"""Bundles: every workload once, by what they share, even in cost, and fixed by the study alone."""

from __future__ import annotations

import pytest

from winit.study.compose import compose
from winit.workflow.bundles import MOST, bundle, bundles


def costs(study):
    return [sum(w.flops_per_run * w.counts.bound for w in each.workloads) for each in bundles(study)]


@pytest.mark.parametrize("name", ["smoke", "quick", "default"])
def test_every_workload_is_in_one_bundle_the_most_expensive_first(name):
    study = compose([f"study={name}"])
    names = [workload.name for each in bundles(study) for workload in each.workloads]
    assert sorted(names) == sorted(workload.name for workload in study.workloads)
    assert costs(study) == sorted(costs(study), reverse=True)
    labels = [each.name for each in bundles(study)]
    assert labels == sorted(set(labels)) and labels[0] == "01"


def test_a_large_study_has_a_bounded_number_of_even_bundles_and_a_small_one_few():
    study = compose(["study=default"])
    assert MOST <= len(bundles(study)) < 2 * MOST
    share = sum(costs(study)) / MOST
    for each, cost in zip(bundles(study), costs(study), strict=True):
        assert cost <= share * 1.001 or len(each.workloads) == 1
    assert 2 <= len(bundles(compose(["study=smoke"]))) <= 5


def test_workloads_that_share_data_and_code_stand_together():
    together = [each for each in bundles(compose(["study=default"])) if len(each.workloads) > 1]
    kinds = [len({(w.dataset, w.activation, w.training.optimizer) for w in each.workloads}) for each in together]
    assert sum(kinds) < sum(len(each.workloads) for each in together) * 3 / 4


def test_bundles_do_not_depend_on_where_data_lie_or_how_it_runs():
    study = compose(["study=quick"])
    other = compose(["study=quick", "name=other", "data.dir=/tmp", "engine=torch", "device=cpu"])
    assert bundles(study) == bundles(study)
    for one, two in zip(bundles(study), bundles(other), strict=True):
        assert [w.name for w in one.workloads] == [w.name for w in two.workloads]
        assert one.arms_digest == two.arms_digest


def test_the_digest_follows_the_arms():
    study, more = compose(["study=smoke"]), compose(["study=smoke", "grid.replicates=4"])
    assert [w.name for w in bundles(study)[0].workloads] == [w.name for w in bundles(more)[0].workloads]
    assert bundles(study)[0].arms_digest != bundles(more)[0].arms_digest
    assert len({each.arms_digest for each in bundles(study)}) == len(bundles(study))


def test_a_bundle_that_is_not_there_is_named():
    study = compose(["study=smoke"])
    assert bundle(study, "02") == bundles(study)[1]
    with pytest.raises(ValueError, match=r"unknown bundle of study 'smoke' '77'"):
        bundle(study, "77")
