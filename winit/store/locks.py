"""Locks between processes. A lock is released when the last process that holds it ends, so kills leave nothing to clean up."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

# Environment variable with the file descriptor of a lock that a process passes on to its child.
VARIABLE = "WINIT_LOCK"


def require() -> None:
    """Check that this system has file locks.

    Raises:
        ValueError: it has no file locks.
    """
    try:
        import fcntl  # noqa: F401
    except ImportError:
        raise ValueError("this system has no file locks (fcntl); use Linux or macOS, and WSL on Windows") from None


def acquire(file: IO[str], wait: bool = True) -> bool:
    """Lock an open file until it is closed.

    Args:
        file: the open file.
        wait: whether to wait until another process releases the lock.

    Returns:
        Whether the lock is held now; always True with `wait`.
    """
    require()
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def handed_down(path: Path) -> IO[str] | None:
    """Return the open lock file passed on by the parent process, or None if it is not the file at `path`."""
    try:
        descriptor = int(os.environ[VARIABLE])
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return open(descriptor, "a", closefd=False)
    except (KeyError, ValueError, OSError):  # not set, or set for a file that is gone
        pass
    return None
