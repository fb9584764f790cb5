# SPDX-License-Identifier: MIT
"""Writing a file so that a reader sees the old one or the new one, whole, even after a crash or a power cut."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from perfcore.errors import ResultsError


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable; some file systems (network mounts, FUSE) cannot, and that is no failure."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _mode_for(path: Path) -> int:
    """Return the mode of the file that is replaced, or what ``open`` would have given a new one."""
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        # The umask can only be read by setting it, which would be a race with other threads; /proc tells it.
        with contextlib.suppress(OSError, ValueError):
            for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
                if line.startswith("Umask:"):
                    return 0o666 & ~int(line.split()[1], 8)
        return 0o644


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace the content of ``path`` by ``data``.

    The bytes go to a temporary file in the same folder, are synced to disk and renamed over ``path``. The mode is
    that of the file that is replaced, or the umask's for a new one; a symbolic link is followed, not replaced.

    Raises:
        ResultsError: the folder is missing, not writable or full; ``path`` is as it was and nothing is left beside it.

    """
    import tempfile  # here, because who only reads a baseline need not load it

    target = Path(os.path.realpath(path))
    temporary: str | None = None
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        mode = _mode_for(target)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        raise ResultsError(f"{os.fspath(path)}: cannot write: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
    _sync_folder(target.parent)
