"""The run store: all trained runs by run id, append-only.

`<store>/<workload>/<hash>.parquet` is one *part*: the runs of one finished chunk, one row per run, with curves and layer
statistics as lists. The name of a part is the hash of its bytes, so truncated, altered and foreign files are detected and
never read as data. Parts are written completely or not at all, and never changed.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from winit.store import locks
from winit.store.files import write_bytes
from winit.store.schema import PART, Row, check_row


def content_hash(content: bytes) -> str:
    """Return the name of a part with the given content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


@dataclass(frozen=True)
class WorkloadParts:
    """The parts of one workload on disk at one moment."""

    folder: Path

    @cached_property
    def _files(self) -> tuple[dict[Path, pq.ParquetFile], dict[Path, str]]:
        sound: dict[Path, pq.ParquetFile] = {}
        broken: dict[Path, str] = {}
        for path in sorted(self.folder.glob("*.parquet")):
            try:
                content = path.read_bytes()
                is_whole = content_hash(content) == path.stem
                # Open each part only once: parts have few rows and many columns.
                file = pq.ParquetFile(pa.BufferReader(content), pre_buffer=False) if is_whole else None
            except (OSError, pa.ArrowInvalid) as error:
                broken[path] = f"it cannot be read: {' '.join(str(error).split())}"
                continue
            if file is None:
                broken[path] = "its content does not match its name: it is truncated, altered or foreign"
            elif not file.schema_arrow.equals(PART):
                broken[path] = "its columns are not those of this version's run store"
            else:
                sound[path] = file
        return sound, broken

    @property
    def broken(self) -> dict[Path, str]:
        """Files that are not valid parts, each with the reason."""
        return self._files[1]

    @property
    def parts(self) -> list[Path]:
        """Valid parts, sorted by name."""
        return list(self._files[0])

    @cached_property
    def run_ids(self) -> set[str]:
        """The runs in the valid parts."""
        return set(self.validation_scores)

    @cached_property
    def validation_scores(self) -> dict[str, list[float]]:
        """The validation scores at each budget of the runs in the valid parts; NaN after a divergence."""
        table = self.read(["run_id", "validation_accuracy"])
        return dict(zip(table["run_id"].to_pylist(), table["validation_accuracy"].to_pylist(), strict=True))

    def read(self, columns: Iterable[str] | None = None) -> pa.Table:
        """Return the rows of all valid parts. If two parts have the same run, the first by name is used."""
        columns = None if columns is None else list(columns)
        # In this thread only, as in `files.read`.
        tables = [file.read(columns=columns, use_threads=False) for file in self._files[0].values()]
        schema = PART if columns is None else pa.schema([PART.field(c) for c in columns])
        table = pa.concat_tables(tables) if tables else pa.Table.from_batches([], schema=schema)
        if "run_id" not in table.column_names:
            return table
        first: dict[str, int] = {}
        for row, run_id in enumerate(table["run_id"].to_pylist()):
            first.setdefault(run_id, row)
        return table if len(first) == len(table) else table.take(list(first.values()))


@dataclass(frozen=True)
class RunStore:
    """The run store in a folder."""

    root: Path

    def parts_of(self, workload: str) -> WorkloadParts:
        """Return the current parts of a workload."""
        return WorkloadParts(self.root / workload)

    def commit(self, workload: str, rows: Sequence[Row]) -> Path:
        """Add one finished chunk and return its file, which is on disk by then.

        Raises:
            ValueError: a row does not match the schema.
        """
        for row in rows:
            check_row(row)
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=PART), buffer, compression="zstd")
        content = buffer.getvalue()
        path = self.root / workload / f"{content_hash(content)}.parquet"
        write_bytes(path, content)
        return path

    @contextmanager
    def training(self, workload: str) -> Iterator[None]:
        """Lock a workload while its runs are trained. A second process waits until the first one ends.

        A job that outlives its workflow thus continues, and the job of a new workflow finds the work done.
        """
        folder = self.root / workload
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / ".lock", "w") as lock:
            locks.acquire(lock)
            for leftover in folder.glob(".*.tmp"):  # from a process that was killed while writing
                leftover.unlink()
            yield

    def set_aside(self, workload: str) -> dict[Path, str]:
        """Rename files of a workload that are not valid parts to `*.rejected`, and return them with the reasons."""
        broken = self.parts_of(workload).broken
        for path in broken:
            path.rename(path.with_suffix(".parquet.rejected"))
        return broken
