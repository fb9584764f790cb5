# SPDX-License-Identifier: MIT
"""Writing a file so that a reader sees the old one or the new one, whole, even after a crash or a power cut.

A writer holds a lock on its temporary file for as long as that has its temporary name, and the lock ends with the
process. So whoever gets the lock knows that the writer was killed, and the first write of a process into a folder
removes what such writers left there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import sys
import time
from pathlib import Path

from perfcore.errors import ResultsError

_SUFFIX = ".perfcore.tmp"
# Where locks are not seen by other machines (some network mounts), a writer there has this long for one file.
_STALE_S = 60.0
_swept: set[Path] = set()


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


def _remove_stale(path: str) -> None:
    """Remove a temporary file if nobody is writing it any more."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or time.time() - found.st_mtime < _STALE_S:
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(found, os.lstat(path)):
            os.unlink(path)
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove the temporary files that killed writers left in a folder; once in a process, as a folder may be large."""
    if folder in _swept:
        return
    _swept.add(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        stale = [one.path for one in entries if one.name.startswith(".") and one.name.endswith(_SUFFIX)]
        for path in stale:
            with contextlib.suppress(OSError):  # it is locked, another's, or gone
                _remove_stale(path)


def _temporary(target: Path) -> tuple[int, str]:
    """Make and lock a temporary file beside ``target``."""
    import tempfile  # here, because who only reads a baseline need not load it

    name = target.name
    while len(os.fsencode(name)) > 100:  # a file's name has room for 255 bytes
        name = name[:-1]
    while True:
        descriptor, path = tempfile.mkstemp(prefix=f".{name}.", suffix=_SUFFIX, dir=target.parent)
        try:
            with contextlib.suppress(OSError):  # no locks on this file system, so nobody sweeps it either
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:  # else one that sweeps was there between the two calls
                return descriptor, path
        except BaseException:
            os.close(descriptor)
            os.unlink(path)
            raise
        os.close(descriptor)


def _own_descriptor(path: str) -> int | None:
    """Return which descriptor of this process a path like /dev/stdout or /dev/fd/5 names; None for another path."""
    own = os.path.realpath("/proc/self/fd")
    for _ in range(40):  # symbolic links, as the kernel follows them
        folder, name = os.path.split(path)
        if name.isascii() and name.isdigit() and os.path.realpath(folder) == own:
            return int(name)
        if not os.path.islink(path):
            break
        path = os.path.join(folder, os.readlink(path))
    return None


def _special(path: str) -> int | None:
    """Return a descriptor to write to where the path names no file that could be replaced: a pipe, a device, stdout."""
    own = _own_descriptor(path)
    if own is not None:
        if sys.stdout is not None:
            sys.stdout.flush()  # what was printed comes first
        return os.dup(own)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return None if stat.S_ISREG(mode) else os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace the content of ``path`` by ``data``.

    The bytes go to a temporary file in the same folder, are synced to disk and renamed over ``path``. The mode is
    that of the file that is replaced, or the umask's for a new one; a symbolic link is followed, not replaced. A kill
    leaves at most the temporary file, hidden, which a later write into the folder removes. What is no regular file (a
    pipe, a device, /dev/stdout wherever it leads to) is written to, not replaced.

    Raises:
        ResultsError: the folder is missing, not writable or full; ``path`` is as it was and nothing is left beside it.

    """
    target = Path(os.path.realpath(path))
    temporary: str | None = None
    try:
        special = _special(os.fspath(path))
        if special is not None:
            with os.fdopen(special, "wb") as stream:
                stream.write(data)
            return
        mode = _mode_for(target)
        _sweep(target.parent)
        descriptor, temporary = _temporary(target)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
            os.replace(temporary, target)  # before the lock ends
            temporary = None
    except OSError as error:
        raise ResultsError(f"{os.fspath(path)}: cannot write: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
    _sync_folder(target.parent)
