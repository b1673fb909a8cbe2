"""The study's graph: train what the run store lacks, one job a workload; collect; report.

    snakemake --cores 2                                   the default study
    snakemake --cores 2 --config study=smoke              another one
    snakemake --cores 2 --config study=smoke overrides="grid.depth=[2,4] training.steps=100"
    snakemake --cores 2 --configfile results/smoke/study.yaml
"""

import glob
import shlex
import sys

from snakemake.exceptions import WorkflowError
from winit import workflow as joint

try:
    STUDY = joint.open_study(config)
except ValueError as reason:
    raise WorkflowError(str(reason))

WORKLOADS = {workload.name: workload for workload in STUDY.workloads}
RESULTS, REPORT = f"results/{STUDY.name}", f"reports/{STUDY.name}"
WINIT = f"{shlex.quote(sys.executable)} -m winit"
PACKAGE = f"{workflow.basedir}/winit"
MANIFESTS = expand(f"{RESULTS}/workloads/{{workload}}.json", workload=WORKLOADS)
TABLES = expand(f"{RESULTS}/{{table}}.parquet", table=["runs", "curves", "layers", "jacobians", "histograms", "traces", "pretraining", "theory", "agreement", "summary", "ranking", "profiles", "arrivals", "claims", "claims_evidence", "pretraining_effects", "baselines", "depth_limits", "phase", "not_applicable"])
COPIES = expand(f"{RESULTS}/{{table}}.csv", table=["runs", "summary", "not_applicable"])
CAPTIONS = "winit/templates/captions"


onstart:
    joint.begin(STUDY)


wildcard_constraints:
    workload="|".join(WORKLOADS),


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


rule train:
    """Train the runs of one workload that the store lacks."""
    output:
        f"{RESULTS}/workloads/{{workload}}.json",
    log:
        f"{RESULTS}/logs/train-{{workload}}.log",
    params:
        study=f"{RESULTS}/study.yaml",
        runs=lambda wildcards: WORKLOADS[wildcards.workload].runs_digest,
    threads: 1
    resources:
        gpu=int(joint.needs_gpu(STUDY)),
    shell:
        "{WINIT} train {params.study:q} {wildcards.workload:q} --runs {params.runs} --output {output:q} --log {log:q}"


rule collect:
    """Join the runs of the study into tidy tables."""
    input:
        MANIFESTS,
        glob.glob(f"{workflow.basedir}/conf/claims/*.yaml"),
        expand(f"{PACKAGE}/{{module}}.py", module=["aggregate", "baselines", "catalog", "claims", "comparisons", "functions", "initializers", "meanfield", "measures", "provenance", "ranking", "stats", "tables"]),
    output:
        TABLES,
        report(COPIES, caption=f"{CAPTIONS}/table.rst", category="Tables"),
        f"{RESULTS}/provenance.json",
    log:
        f"{RESULTS}/logs/collect.log",
    params:
        study=f"{RESULTS}/study.yaml",
        digest=STUDY.digest,
    shell:
        "{WINIT} collect {params.study:q} --log {log:q}"


rule replay:
    """Replay the tutorial's five tanh layers."""
    input:
        expand(f"{PACKAGE}/{{module}}.py", module=["replay", "initializers"]),
    output:
        f"{RESULTS}/replay.parquet",
    log:
        f"{RESULTS}/logs/replay.log",
    params:
        study=f"{RESULTS}/study.yaml",
        seed=STUDY.seed,
    shell:
        "{WINIT} replay {params.study:q} --log {log:q}"


rule report:
    """Draw the figures and write the page."""
    input:
        TABLES,
        f"{RESULTS}/provenance.json",
        f"{RESULTS}/replay.parquet",
        expand(f"{PACKAGE}/{{file}}.py", file=["cards", "catalog", "chapters", "compact", "comparisons", "figures", "findings", "initializers", "interactive", "meanfield", "pretraining_figures", "ranking_figures", "report", "state_figures", "stats", "tables"]),
        glob.glob(f"{PACKAGE}/templates/*.*"),
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
    shell:
        "{WINIT} report {params.study:q} --log {log:q}"
