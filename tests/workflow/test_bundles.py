"""Bundles: every workload is in one bundle, grouped by shared data and code, with even costs, for any number of cores."""

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
    assert len(bundles(study)) == MOST
    single = max(workload.flops_per_run * workload.counts.bound for workload in study.workloads)
    assert costs(study)[0] <= max(single, 1.25 * sum(costs(study)) / MOST)
    one, other = costs(compose(["study=smoke"]))  # two cores are busy to the end
    assert one < 1.1 * other


def test_workloads_that_share_data_and_code_are_grouped():
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
    single = ["study=smoke", "extra_grids=null", "grid.depth=[2]", "grid.activation=[tanh]"]
    (one,), (more,) = bundles(compose(single)), bundles(compose([*single, "grid.replicates=4"]))
    assert [w.name for w in one.workloads] == [w.name for w in more.workloads]
    assert one.arms_digest != more.arms_digest
    study = compose(["study=smoke"])
    assert len({each.arms_digest for each in bundles(study)}) == len(bundles(study))


def test_a_bundle_that_is_not_there_is_named():
    study = compose(["study=smoke"])
    assert bundle(study, "02") == bundles(study)[1]
    with pytest.raises(ValueError, match=r"unknown bundle of study 'smoke' '77'"):
        bundle(study, "77")
