"""MNIST: read from a folder, with one-sentence errors for missing, damaged and truncated files."""

from __future__ import annotations

import gzip
import hashlib
import struct

import numpy as np
import pytest

from tests.conftest import needs_mnist
from winit import datasets
from winit.datasets import mnist


def idx(values: np.ndarray) -> bytes:
    head = struct.pack(">BBBB", 0, 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    return gzip.compress(head + values.astype(np.uint8).tobytes(), mtime=0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with four small files in the format of MNIST, whose checksums are the known ones."""
    rng = np.random.default_rng(0)
    contents = [rng.integers(256, size=shape) for shape in ((6, 28, 28), (6,), (2, 28, 28), (2,))]
    digests = {}
    for name, values in zip(mnist.FILES, contents, strict=True):
        (tmp_path / name).write_bytes(idx(values))
        digests[name] = hashlib.sha256(idx(values)).hexdigest()
    monkeypatch.setattr(mnist, "FILES", digests)
    monkeypatch.delenv(mnist.VARIABLE, raising=False)
    return tmp_path, contents


def test_it_is_read_from_the_folder_that_the_setting_names(folder):
    root, (train_x, train_y, test_x, test_y) = folder
    x, y = mnist.read(str(root))
    np.testing.assert_array_equal(
        x, (np.concatenate([train_x, test_x]).reshape(8, 784) / np.float32(255)).astype(np.float32)
    )
    np.testing.assert_array_equal(y, np.concatenate([train_y, test_y]))


def test_the_environment_names_a_folder_and_the_setting_comes_first(folder, monkeypatch, tmp_path_factory):
    root, _ = folder
    monkeypatch.setenv(mnist.VARIABLE, str(root))
    assert len(mnist.files()) == 4
    elsewhere = tmp_path_factory.mktemp("empty")
    with pytest.raises(ValueError, match=f"MNIST: data.dir={elsewhere} has no file train-images"):
        mnist.files(str(elsewhere))


@pytest.mark.parametrize("name", list(mnist.FILES))
def test_a_missing_a_damaged_and_a_truncated_file_are_refused(folder, name):
    root, _ = folder
    whole = (root / name).read_bytes()
    for content in (whole[:-7], whole[:20] + bytes([whole[20] ^ 1]) + whole[21:], b""):
        (root / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name} is damaged or a different file: its SHA-256 is .* replace it"):
            mnist.read(str(root))
    (root / name).unlink()
    with pytest.raises(ValueError, match=f"has no file {name}; put train-images-idx3-ubyte.gz, .* there"):
        datasets.ensure("mnist", str(root))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(b"\0\0\x09\x01\0\0\0\x01A", mtime=0), "is not an IDX file of bytes"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x05ABC", mtime=0), "has 3 values, but its header says 5"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x05ABCDE", mtime=0)[:-3], "cannot be unpacked"),
        (b"no gzip", "cannot be unpacked"),
    ],
)
def test_files_that_are_not_idx_are_refused(tmp_path, content, reason):
    (tmp_path / "x.gz").write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        mnist.read_idx(tmp_path / "x.gz")


class Mirror:
    """Stands for pooch.retrieve: serves what it has, keeps what it was asked."""

    def __init__(self, working: str) -> None:
        self.working, self.asked = working, []

    def __call__(self, url, known_hash, fname, path):
        self.asked.append(url)
        if not url.startswith(self.working):
            raise ConnectionError("no route")
        assert known_hash == f"sha256:{mnist.FILES[fname]}"
        return str(path / fname)


def test_the_second_mirror_is_asked_when_the_first_fails(monkeypatch):
    import pooch

    monkeypatch.delenv(mnist.VARIABLE, raising=False)
    mirror = Mirror(mnist.MIRRORS[1])
    monkeypatch.setattr(pooch, "retrieve", mirror)
    assert [path.name for path in mnist.files()] == list(mnist.FILES)
    assert len(mirror.asked) == 2 * len(mnist.FILES)


def test_without_a_network_it_says_what_to_do(monkeypatch):
    import pooch

    monkeypatch.delenv(mnist.VARIABLE, raising=False)
    monkeypatch.setattr(pooch, "retrieve", Mirror("nowhere"))
    with pytest.raises(ValueError, match=r"could not be downloaded .*ConnectionError.* set data.dir=<folder>"):
        mnist.files()


def test_pooch_keeps_nothing_that_is_not_whole(tmp_path, monkeypatch):
    """The real pooch, from a mirror on this disk: a wrong file is refused, and nothing is left under its name."""
    import pooch

    (tmp_path / "mirror").mkdir()
    name = "t10k-labels-idx1-ubyte.gz"
    (tmp_path / "mirror" / name).write_bytes(b"half a file")
    served = pooch.retrieve

    def from_disk(url, known_hash, fname, path):
        def copy(url, output, pooch):
            with open(output, "wb") as file:
                file.write((tmp_path / "mirror" / fname).read_bytes())

        return served(url, known_hash, fname=fname, path=path, downloader=copy)

    monkeypatch.setattr(pooch, "retrieve", from_disk)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache")
    with pytest.raises(ValueError, match=f"{name} could not be downloaded .*ValueError"):
        mnist.download(name, mnist.FILES[name])
    assert not list((tmp_path / "cache").rglob("*.gz"))


@needs_mnist
def test_the_real_files_are_those_of_the_checksums():
    x, y = mnist.read()
    assert x.shape == (70_000, 784) and x.dtype == np.float32 and x.min() == 0 and x.max() == 1
    assert np.bincount(y[:60_000]).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert x[:60_000].mean(dtype=float) == pytest.approx(0.13066, abs=1e-5)
