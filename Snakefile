"""The study's graph: train what the run store lacks, one job a bundle of workloads; collect; report.

    snakemake --cores 2                                   the default study
    snakemake --cores 2 --config study=smoke              another one
    snakemake --cores 2 --config study=smoke overrides="grid.depth=[2,4] training.steps=100"
    snakemake --cores 2 --configfile results/smoke/study.yaml

`force=1` in --config lets a study replace the tables of another question under the same name.
"""

import shlex
import sys
from contextlib import contextmanager

from snakemake.exceptions import WorkflowError
from winit.store.schema import COLLECTED, COPIED
from winit.study import conf
from winit.workflow import session, sources
from winit.workflow.bundles import bundles
from winit.workflow.paths import StudyPaths


@contextmanager
def one_sentence():
    """Turn the mistakes of a caller into Snakemake's own kind of error, which it prints without a traceback."""
    try:
        yield
    except (ValueError, OSError) as reason:
        raise WorkflowError(str(reason)) from None


with one_sentence():
    STUDY, FORCE = session.open_study(config)
    DUE = session.due(STUDY, StudyPaths(STUDY.name)) if workflow.is_main_process else {}
for reason in DUE.values():
    print(f"winit: {reason}", file=sys.stderr)


def make_due_again(_):
    """Add what winit found to be due to what --forcerun names. An input function, because there is no graph before.

    Deleting the files would do as well, but Snakemake reads this file in dry runs and in jobs, too.
    """
    workflow.dag.forcefiles.update(map(str, DUE))
    return []


BUNDLES = bundles(STUDY)
RESULTS, REPORT = f"results/{STUDY.name}", f"reports/{STUDY.name}"
# One thread a process: the bits of a product depend on how it was split.
WINIT = f"OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 {shlex.quote(sys.executable)} -m winit"
MANIFESTS = [f"{RESULTS}/workloads/{workload.name}.json" for workload in STUDY.workloads]
TABLES = expand(f"{RESULTS}/{{table}}.parquet", table=COLLECTED)
COPIES = expand(f"{RESULTS}/{{table}}.csv", table=COPIED)
CAPTIONS = conf.PACKAGE / "report" / "templates" / "captions"


onstart:
    with one_sentence():
        session.start(STUDY, FORCE, DUE)


rule all:
    """The report of the study, and all that it was made from: a file that got lost on the way is made again."""
    input:
        MANIFESTS,
        TABLES,
        COPIES,
        f"{RESULTS}/provenance.json",
        f"{RESULTS}/replay.parquet",
        f"{REPORT}/index.html",
        f"{REPORT}/figures",


for NUMBER, BUNDLE in enumerate(BUNDLES):

    rule:
        """Train the runs of one bundle of workloads that the store lacks."""
        name:
            f"train_{BUNDLE.name}"
        input:
            make_due_again,
        output:
            [f"{RESULTS}/workloads/{workload.name}.json" for workload in BUNDLE.workloads],
        log:
            f"{RESULTS}/logs/train-{BUNDLE.name}.log",
        params:
            study=f"{RESULTS}/study.yaml",
            bundle=BUNDLE.name,
            arms=BUNDLE.arms_digest,
        priority: len(BUNDLES) - NUMBER
        threads: 1
        resources:
            gpu=int(session.needs_gpu(STUDY)),
        shell:
            "{WINIT} train {params.study:q} {params.bundle:q} --arms {params.arms} --log {log:q}"


rule collect:
    """Join the runs of the study into tidy tables."""
    input:
        make_due_again,
        MANIFESTS,
        f"{RESULTS}/replay.parquet",  # recorded with the tables
        sources.inputs("collect"),
    output:
        TABLES,
        report(COPIES, caption=f"{CAPTIONS}/table.rst", category="Tables"),
        f"{RESULTS}/provenance.json",
    log:
        f"{RESULTS}/logs/collect.log",
    params:
        study=f"{RESULTS}/study.yaml",
        digest=STUDY.digest,
        sources=sources.digest("collect"),
    threads: 4  # at most as many as there are cores
    shell:
        "{WINIT} collect {params.study:q} --processes {threads} --log {log:q}"


rule replay:
    """Replay the tutorial's five tanh layers."""
    input:
        make_due_again,
        sources.inputs("replay"),
    output:
        f"{RESULTS}/replay.parquet",
    log:
        f"{RESULTS}/logs/replay.log",
    params:
        study=f"{RESULTS}/study.yaml",
        seed=STUDY.seed,
        sources=sources.digest("replay"),
    shell:
        "{WINIT} replay {params.study:q} --log {log:q}"


rule report:
    """Draw the figures and write the page."""
    input:
        TABLES,
        f"{RESULTS}/provenance.json",
        f"{RESULTS}/replay.parquet",
        sources.inputs("report"),
    output:
        report(f"{REPORT}/index.html", caption=f"{CAPTIONS}/page.rst", category="Report"),
        report(
            directory(f"{REPORT}/figures"), patterns=["{figure}.svg"], caption=f"{CAPTIONS}/figure.rst", category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        f"{RESULTS}/logs/report.log",
    params:
        study=f"{RESULTS}/study.yaml",
        digest=STUDY.digest,
        sources=sources.digest("report"),
    threads: 4  # at most as many as there are cores
    shell:
        "{WINIT} report {params.study:q} --processes {threads} --log {log:q}"
