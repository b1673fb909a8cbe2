"""Paths of a study's files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from winit.store.parts import RunStore


@dataclass(frozen=True)
class StudyPaths:
    """Paths of a study's files, relative to the folder in which it runs."""

    name: str
    results: Path = Path("results")
    reports: Path = Path("reports")

    @property
    def folder(self) -> Path:
        return self.results / self.name

    @property
    def study(self) -> Path:
        return self.folder / "study.yaml"

    @property
    def provenance(self) -> Path:
        return self.folder / "provenance.json"

    @property
    def lock(self) -> Path:
        return self.folder / ".lock"

    @property
    def report(self) -> Path:
        return self.reports / self.name / "index.html"

    @property
    def findings(self) -> Path:
        """The findings of the page, for programs."""
        return self.report.with_name("findings.json")

    def log(self, rule: str) -> Path:
        """The log of a rule, or of the whole workflow for `snakemake`."""
        return self.folder / "logs" / f"{rule}.log"

    def manifest(self, workload: str) -> Path:
        """The file that tells Snakemake that a workload is trained."""
        return self.folder / "workloads" / f"{workload}.json"

    @property
    def store(self) -> RunStore:
        return RunStore(self.results / "store")
