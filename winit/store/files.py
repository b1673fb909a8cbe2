"""Files are written whole or not at all, and tables are checked against the schema."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from winit.store.schema import COPIED, TABLES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is never seen half-written: temporary name, sync, rename, sync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def conform(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the declared columns, in their order and types.

    Raises:
        ValueError: a declared column is missing, or an undeclared one is there.
    """
    columns = TABLES[name]
    if set(frame.columns) != set(columns):
        odd = sorted(set(frame.columns) ^ set(columns))
        raise ValueError(f"table {name} has columns that differ from its declaration: {', '.join(odd)}")
    return frame[list(columns)].astype({c: columns[c].type for c in columns}).reset_index(drop=True)


def write(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """Check a table against its declaration and write it as parquet, and as CSV if it is one of `COPIED`."""
    frame = conform(name, frame)
    write_bytes(folder / f"{name}.parquet", frame.to_parquet(index=False, compression="zstd"))
    if name in COPIED:
        write_bytes(folder / f"{name}.csv", frame.to_csv(index=False).encode())


def read_parquet(source: Path | BinaryIO, columns: list[str] | None = None) -> pa.Table:
    """Read a parquet file on this thread alone.

    Arrow's thread pools can abort a process that ends soon after they were started ("terminate called without an
    active exception"), and for small files they only cost time.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(source, pre_buffer=False) as file:
        return file.read(columns=columns, use_threads=False)


def read(folder: Path, name: str) -> pd.DataFrame:
    """Read a table of a study.

    Raises:
        ValueError: there is none; the sentence says what makes it.
    """
    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise ValueError(f"no table at {path}; run the study first: winit run study={folder.name} --cores 2")
    return read_parquet(path).to_pandas(use_threads=False)
