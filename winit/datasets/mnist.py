"""MNIST: the four canonical files, read from a folder or downloaded from a mirror.

Files are read only if their SHA-256 matches. A download gets its final name once it is complete and checked.

Source: LeCun, Bottou, Bengio & Haffner 1998; the IDX format of the original page.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from functools import lru_cache
from pathlib import Path

import numpy as np

from winit.datasets.dataset import AUTO, Dataset, Examples

VARIABLE = "WINIT_DATA"  # names the folder unless the setting data.dir does
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
FILES: dict[str, str] = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}


def _chosen(folder: str) -> Path | None:
    """Return the folder named by the setting or the environment, or None."""
    named = os.environ.get(VARIABLE, "") if folder == AUTO else folder
    return Path(named).expanduser() if named else None


def files(folder: str = AUTO) -> list[Path]:
    """Return the paths of the four checked files, in the named folder or in the cache. Download missing files to the cache.

    Args:
        folder: the setting data.dir; `auto` for the folder in WINIT_DATA or, without that, the cache.

    Raises:
        ValueError: a file is missing, damaged or cannot be downloaded; the message says what to do.
    """
    chosen = _chosen(folder)
    if chosen is None:
        return [download(name, digest) for name, digest in FILES.items()]
    where = f"{VARIABLE}={chosen}" if folder == AUTO else f"data.dir={folder}"
    for name, digest in FILES.items():
        path = chosen / name
        if not path.is_file():
            raise ValueError(
                f"MNIST: {where} has no file {name}; put {', '.join(FILES)} there, or unset it to download"
            )
        actual = hashlib.sha256(path.read_bytes()).hexdigest()
        if actual != digest:
            raise ValueError(
                f"MNIST: {path} is damaged or a different file: its SHA-256 is {actual[:12]}…, expected {digest[:12]}…; "
                "replace it with the original"
            )
    return [chosen / name for name in FILES]


def download(name: str, digest: str) -> Path:
    """Return a file of the cache. Download it from the first mirror that has an intact copy."""
    import pooch

    cache, reasons = pooch.os_cache("winit") / "mnist", []
    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel("ERROR")
    try:
        for mirror in MIRRORS:
            try:
                return Path(pooch.retrieve(mirror + name, f"sha256:{digest}", fname=name, path=cache))
            except (OSError, ValueError) as error:  # no network, no such page, or a different hash
                reasons.append(f"{mirror}: {type(error).__name__}")
    finally:
        logger.setLevel(before)
    raise ValueError(
        f"MNIST: {name} could not be downloaded ({'; '.join(reasons)}); get the four files {', '.join(FILES)} "
        f"by other means, put them into a folder, and set data.dir=<folder> or {VARIABLE}"
    )


def read_idx(path: Path) -> np.ndarray:
    """Return the unsigned bytes of a gzipped IDX file, in the shape that it declares.

    Raises:
        ValueError: the file is not a gzipped IDX file of bytes, or it is truncated.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise ValueError(f"MNIST: {path} cannot be unpacked: {error}") from None
    # The header: two zeros, 8 for unsigned bytes, the number of dimensions.
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError(f"MNIST: {path} is not an IDX file of bytes")
    start = 4 + 4 * content[3]
    shape = np.frombuffer(content[4:start], ">u4").astype(int)
    values = np.frombuffer(content, np.uint8, offset=start)
    if len(values) != shape.prod():
        raise ValueError(f"MNIST: {path} has {len(values)} values, but its header says {' × '.join(map(str, shape))}")
    return values.reshape(shape)


def read(folder: str = AUTO) -> Examples:
    """Return pixels (70000, 784) between 0 and 1, float32, and labels (70000,); the 10,000 test examples last."""
    train_x, train_y, test_x, test_y = (read_idx(path) for path in files(folder))
    x = np.concatenate([train_x, test_x]).reshape(-1, 784)
    return x.astype(np.float32) / 255, np.concatenate([train_y, test_y])


_read_once = lru_cache(maxsize=1)(read)  # replicates split the same data differently, so a process reads it only once

MNIST = Dataset(
    name="mnist",
    label="MNIST",
    examples=70_000,
    inputs=784,
    classes=10,
    source="28×28 handwritten digits, LeCun et al. 1998; 10,000 of the 60,000 training examples are used for validation",
    read=lambda rng, folder, parameters: _read_once(folder),
    test=10_000,
    is_image=True,
    ensure=files,
)
