"""Provenance of a study's tables: versions, machine, commit, hashes."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from winit.store.schema import COPIED, TABLES

PACKAGES = (
    "torch", "numba", "llvmlite", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "seaborn", "matplotlib", "snakemake",
    "hydra-core",
)  # fmt: skip


def processor() -> str:
    """Return the name of the processor. On Linux it is read from /proc/cpuinfo, because platform.processor() is empty."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> str:
    """Return the commit of the code, with '+' if the working tree differs from it; '' outside a checkout."""
    file = Path(__file__).resolve()

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(file.parent), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        if not git("ls-files", file.name):  # installed inside another repository
            return ""
        commit = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no")
    except OSError:  # git is not installed
        return ""
    return commit + ("+" if changed else "")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # numba and llvmlite are optional
        return "not installed"


def record(study: str, digest: str, *, version: str, revision: int, folder: Path, tables: Iterable[str]) -> bytes:
    """Return the record as JSON, with the SHA-256 sums of these tables and of their CSV copies.

    Args:
        study: name of the study.
        digest: of the settings.
        version: of winit.
        revision: of the training code, as in run ids.
        folder: of the tables.
        tables: their names.
    """
    names = list(tables)
    copies = [name for name in COPIED if name in names and (folder / f"{name}.csv").is_file()]
    facts = {
        "study": study,
        "digest": digest,
        "winit": version,
        "revision": revision,
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "tables": {name: _sha256(folder / f"{name}.parquet") for name in names},
        "copies": {name: _sha256(folder / f"{name}.csv") for name in copies},
    }
    return (json.dumps(facts, indent=1) + "\n").encode()


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(path: Path) -> dict[str, object]:
    """Return the record in a file, or an empty one if the file is not a record."""
    try:
        facts = json.loads(path.read_bytes())
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def altered(path: Path) -> list[Path]:
    """Return the existing tables and CSV copies in the folder of a record whose SHA-256 sum differs from the recorded one."""
    facts = read(path)
    files = []
    for key, suffix, names in (("tables", "parquet", TABLES), ("copies", "csv", COPIED)):
        sums = facts.get(key)
        for name in names:
            file = path.with_name(f"{name}.{suffix}")
            recorded = sums.get(name) if isinstance(sums, dict) else None
            if file.is_file() and _sha256(file) != recorded:
                files.append(file)
    return files
