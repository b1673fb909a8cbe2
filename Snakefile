"""The study's graph: train what the run store lacks, one job a bundle of workloads; collect; report.

    snakemake --cores 2                                   the default study
    snakemake --cores 2 --config study=smoke              another one
    snakemake --cores 2 --config study=smoke overrides="grid.depth=[2,4] training.steps=100"
    snakemake --cores 2 --configfile results/smoke/study.yaml

`force=1` in --config lets a study replace the tables of another question under the same name.
"""

import sys

from winit.store.schema import COLLECTED, COPIED
from winit.study import conf
from winit.workflow import session, sources
from winit.workflow.bundles import bundles
from winit.workflow.paths import StudyPaths
from winit.workflow.rules import environment, making_due, one_sentence, shell_prefix

shell.prefix(shell_prefix())

with one_sentence():
    STUDY, FORCE = session.open_study(config)
    DUE = session.due(STUDY, StudyPaths(STUDY.name)) if workflow.is_main_process else {}
for reason in DUE.values():
    print(f"winit: warning: {reason}", file=sys.stderr)

make_due_again = making_due(workflow, DUE)
BUNDLES = bundles(STUDY)
RESULTS, REPORT = f"results/{STUDY.name}", f"reports/{STUDY.name}"
MANIFESTS = [f"{RESULTS}/workloads/{workload.name}.json" for workload in STUDY.workloads]
TABLES = expand(f"{RESULTS}/{{table}}.parquet", table=COLLECTED)
COPIES = expand(f"{RESULTS}/{{table}}.csv", table=COPIED)
ENVIRONMENT = environment()
CAPTIONS = conf.PACKAGE / "report" / "templates" / "captions"


onstart:
    with one_sentence():
        session.start(STUDY, FORCE, DUE, workflow.cores)


rule all:
    """The report of the study, and all that it was made from: a file that got lost on the way is made again."""
    input:
        MANIFESTS,
        TABLES,
        COPIES,
        f"{RESULTS}/provenance.json",
        f"{RESULTS}/replay.parquet",
        f"{REPORT}/index.html",
        f"{REPORT}/findings.json",
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
        priority: len(BUNDLES) - NUMBER
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=int(session.needs_gpu(STUDY)),
        params:
            study=f"{RESULTS}/study.yaml",
            bundle=BUNDLE.name,
            arms=BUNDLE.arms_digest,
        shell:
            "winit workflow train {params.study:q} {params.bundle:q} --arms {params.arms} --log {log:q}"


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
    conda:
        ENVIRONMENT
    threads: 4  # at most as many as there are cores
    params:
        study=f"{RESULTS}/study.yaml",
        digest=STUDY.digest,
        sources=sources.digest("collect"),
    shell:
        "winit workflow collect {params.study:q} --processes {threads} --log {log:q}"


rule replay:
    """Replay the tutorial's five tanh layers."""
    input:
        make_due_again,
        sources.inputs("replay"),
    output:
        f"{RESULTS}/replay.parquet",
    log:
        f"{RESULTS}/logs/replay.log",
    conda:
        ENVIRONMENT
    params:
        study=f"{RESULTS}/study.yaml",
        seed=STUDY.seed,
        sources=sources.digest("replay"),
    shell:
        "winit workflow replay {params.study:q} --log {log:q}"


rule report:
    """Draw the figures and write the page."""
    input:
        TABLES,
        f"{RESULTS}/provenance.json",
        f"{RESULTS}/replay.parquet",
        sources.inputs("report"),
    output:
        report(f"{REPORT}/index.html", caption=f"{CAPTIONS}/page.rst", category="Report"),
        f"{REPORT}/findings.json",
        report(
            directory(f"{REPORT}/figures"),
            patterns=["{figure}.svg"],
            caption=f"{CAPTIONS}/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        ENVIRONMENT
    threads: 4  # at most as many as there are cores
    params:
        study=f"{RESULTS}/study.yaml",
        digest=STUDY.digest,
        sources=sources.digest("report"),
    shell:
        "winit workflow report {params.study:q} --processes {threads} --log {log:q}"
