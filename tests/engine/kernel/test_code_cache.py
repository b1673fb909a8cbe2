"""The cache of machine code: files are reused, checked and set aside, and errors never stop training."""

from __future__ import annotations

from pathlib import Path

import pytest

from winit.engine.kernel import code_cache

FACTS = {"function": "product(4, 5)", "processor": "znver4", "sources": "12ab"}
CODE = bytes(range(256)) * 4 + b"\n"


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    """The file of kept code, in a folder that did not exist."""
    monkeypatch.setenv(code_cache.VARIABLE, str(tmp_path / "cache"))
    assert code_cache.read(FACTS) is None
    code_cache.write(FACTS, CODE)
    (path,) = (tmp_path / "cache").iterdir()
    return path


def test_code_is_found_by_all_facts_that_decide_it(file):
    assert code_cache.read(FACTS) == CODE == code_cache.read(dict(reversed(FACTS.items())))
    for key in FACTS:
        assert code_cache.read({**FACTS, key: "other"}) is None
    assert file.is_file(), "what is asked for in vain is not set aside"


def rejected(file: Path, caplog, content: bytes) -> str:
    """Replace a file's content, look for the code, and return what is said."""
    caplog.clear()
    file.write_bytes(content)
    assert code_cache.read(FACTS) is None
    assert file.with_suffix(".rejected").read_bytes() == content and not file.exists()
    (record,) = caplog.records
    message = record.getMessage()
    assert message.startswith(f"{file} was set aside, and its code is compiled again: ") and "\n" not in message
    return message.split(": ")[-1]


def test_a_damaged_file_is_set_aside_in_one_line(file, caplog):
    content = file.read_bytes()
    for damaged in (b"", content[:30], content[:-1], content + b"\0", b"\n", b"\xff\n", b"no code at all\n"):
        assert rejected(file, caplog, damaged) == "it is truncated or altered"
    for i in range(0, len(content), 61):
        flipped = content[:i] + bytes([content[i] ^ 16]) + content[i + 1 :]
        assert rejected(file, caplog, flipped) == "it is truncated or altered"
    code_cache.write(FACTS, CODE)
    assert code_cache.read(FACTS) == CODE


@pytest.mark.parametrize("key", FACTS)
def test_sound_code_of_something_else_is_set_aside(file, caplog, key):
    code_cache.write({**FACTS, key: "other"}, CODE)
    (foreign,) = set(file.parent.iterdir()) - {file}
    said = rejected(file, caplog, foreign.read_bytes())
    assert said == "it has other code, or code for another processor"


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(code_cache.VARIABLE, str(tmp_path / "file" / "cache"))
    code_cache.write(FACTS, CODE)
    assert code_cache.read(FACTS) is None and not caplog.records


def test_half_written_files_are_removed(file, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(code_cache.os, "replace", full)
    code_cache.write({**FACTS, "sources": "34cd"}, CODE)
    assert list(file.parent.iterdir()) == [file]


def test_where_code_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv(code_cache.VARIABLE, "")
    assert code_cache.folder() is None
    code_cache.write(FACTS, CODE)
    assert code_cache.read(FACTS) is None
    monkeypatch.delenv(code_cache.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert code_cache.folder() == tmp_path / "winit" / "kernel"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert code_cache.folder() == tmp_path / ".cache" / "winit" / "kernel"
