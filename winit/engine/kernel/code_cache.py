"""Cache of machine code on disk, shared by processes.

A file has the code of one function: the SHA-256 of the rest of the file, a line with the facts that determine the code, and
the code. Its name is the SHA-256 of these facts, so code for other shapes, processors or versions has other names. Processes
share the folder without locks, because a file gets its final name only when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

LOG = logging.getLogger("winit")
VARIABLE = "WINIT_KERNEL_CACHE"  # sets another folder; empty for no cache

Facts = Mapping[str, str]


def folder() -> Path | None:
    """Return the folder of the cache: the one set by `VARIABLE`, otherwise winit/kernel in the user's cache."""
    if VARIABLE in os.environ:
        return Path(os.environ[VARIABLE]) if os.environ[VARIABLE] else None
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "winit" / "kernel"


def _line(facts: Facts) -> bytes:
    return json.dumps(dict(facts), sort_keys=True, ensure_ascii=False).encode() + b"\n"


def path_of(facts: Facts) -> Path | None:
    """Return the file for the code determined by some facts; None if there is no cache."""
    root = folder()
    return root / f"{hashlib.sha256(_line(facts)).hexdigest()}.code" if root else None


def read(facts: Facts) -> bytes | None:
    """Return the cached code determined by some facts, or None if there is none.

    A file that is damaged or has other code is renamed to `*.rejected`, which is logged.
    """
    path = path_of(facts)
    if path is None:
        return None
    try:
        digest, _, rest = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    if digest != hashlib.sha256(rest).hexdigest().encode():
        _set_aside(path, "it is truncated or altered")
        return None
    if not rest.startswith(_line(facts)):
        _set_aside(path, "it has other code, or code for another processor")
        return None
    return rest.removeprefix(_line(facts))


def _set_aside(path: Path, reason: str) -> None:
    with suppress(OSError):  # another process was faster, or the folder cannot be written
        path.rename(path.with_suffix(".rejected"))
    LOG.warning("%s was set aside, and its code is compiled again: %s", path, reason)


def write(facts: Facts, code: bytes) -> None:
    """Cache the code determined by some facts. Nothing is cached if the folder is not writable."""
    path = path_of(facts)
    if path is None:
        return
    rest = _line(facts) + code
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
