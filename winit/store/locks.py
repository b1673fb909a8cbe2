"""Locks between processes. A lock dies with the last process that holds it, so a kill leaves nothing to clean up."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

# Names the file descriptor of a lock that a process hands down to the one it starts.
VARIABLE = "WINIT_LOCK"


def require() -> None:
    """Check that this system has the locks that winit needs.

    Raises:
        ValueError: it has none.
    """
    try:
        import fcntl  # noqa: F401
    except ImportError:
        raise ValueError("this system has no file locks (fcntl); use Linux or macOS, and WSL on Windows") from None


def acquire(file: IO[str], wait: bool = True) -> bool:
    """Lock an open file until it is closed.

    Args:
        file: the open file.
        wait: whether to wait for another holder to finish.

    Returns:
        Whether the lock is held now: always, if `wait`.
    """
    require()
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def handed_down(path: Path) -> IO[str] | None:
    """Return the open lock file that the parent process handed down, or None if that is not the file at `path`."""
    try:
        descriptor = int(os.environ[VARIABLE])
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return open(descriptor, "a", closefd=False)
    except (KeyError, ValueError, OSError):  # not set, or the variable has outlived its file
        pass
    return None
