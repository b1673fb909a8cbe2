"""Write files completely or not at all, and check tables against the schema."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from winit.store.schema import COPIED, TABLES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

GROUP = 1 << 17  # rows of a streamed table that are written at a time


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that is never visible half-written: temporary name, sync, rename, sync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file completely or not at all."""
    with replacing(path) as file:
        file.write(content)


def conform(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the declared columns, in their declared order and types.

    Raises:
        ValueError: a declared column is missing, or there is an undeclared one.
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


class Stream:
    """A table that is written part by part, in the order of its rows, with one part in memory.

    Attributes:
        schema: of the file, with the same types as in `write`.
    """

    def __init__(self, name: str, file: BinaryIO) -> None:
        import pandas as pd
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = TABLES[name]
        self.schema = pa.Schema.from_pandas(conform(name, pd.DataFrame(columns=list(columns))), preserve_index=False)
        texts = [column.name for column in columns.values() if column.type == "str"]
        self._writer = pq.ParquetWriter(file, self.schema, compression="zstd", use_dictionary=texts)
        self._waiting: list[pa.Table] = []

    def add(self, rows: pa.Table) -> None:
        """Append rows with the declared columns, in any order, of types that convert to the declared ones without loss."""
        self._waiting.append(rows.select(self.schema.names).cast(self.schema))
        if sum(map(len, self._waiting)) >= GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            rows = pa.concat_tables(self._waiting).combine_chunks()
            self._writer.write_table(rows, row_group_size=max(1, len(rows)))
        self._waiting = []

    def close(self) -> None:
        """Write the remaining rows."""
        self._flush()
        self._writer.close()


@contextmanager
def stream(folder: Path, name: str) -> Iterator[Stream]:
    """Write a large table part by part. The file gets its final name when it is complete."""
    for leftover in folder.glob(f".{name}.parquet.*.tmp"):  # from a process that was killed while writing
        leftover.unlink(missing_ok=True)
    with replacing(folder / f"{name}.parquet") as file, closing(Stream(name, file)) as rows:
        yield rows


def read(
    folder: Path,
    name: str,
    columns: Sequence[str] | None = None,
    keep: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: rows,
    run_ids: pd.Index | None = None,
) -> pd.DataFrame:
    """Read a table of a study.

    Args:
        folder: of the tables.
        name: of the table.
        columns: columns to read; all by default.
        keep: returns the rows of a streamed part to keep. All rows of a run are in one part. Memory holds one part and the
            rows kept.
        run_ids: the categories of the column `run_id`, in their order; strings if none are given. Rows are selected and joined
            by categories several times as fast as by strings. All parts share this index, and the hash table that it keeps.

    Raises:
        ValueError: the table does not exist; the message says how to make it.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise ValueError(f"no table at {path}; run the study first: winit run study={folder.name} --cores 2")
    as_categories = ["run_id"] if run_ids is not None else []

    def frame(rows: pa.Table) -> pd.DataFrame:
        found = rows.to_pandas(use_threads=False)
        # Not by `astype`, which leaves the same categories in their old order.
        return found if run_ids is None else found.assign(run_id=found["run_id"].cat.set_categories(run_ids))

    with pq.ParquetFile(path, pre_buffer=False, read_dictionary=as_categories) as file:
        wanted = file.schema_arrow.names if columns is None else list(columns)
        # In this thread only: Arrow's thread pools can abort a process that ends soon after they were started
        # ("terminate called without an active exception"), and they slow down reading small files.
        groups = (file.read_row_group(i, wanted, use_threads=False) for i in range(file.num_row_groups))
        parts = [keep(frame(group)) for group in groups]
        none = file.schema_arrow.empty_table().select(wanted)
    return pd.concat(parts, ignore_index=True) if parts else frame(none)
