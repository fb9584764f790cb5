# SPDX-License-Identifier: MIT
import fcntl
import os
import signal
import stat
import time
from pathlib import Path

import pytest

from perfcore.errors import ResultsError
from perfcore.record import atomic
from perfcore.record.atomic import write_atomic


@pytest.fixture(autouse=True)
def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test be the first to write into its folder."""
    monkeypatch.setattr(atomic, "_swept", set())


def test_writes_new_and_replaces_old(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    write_atomic(target, b"one")
    write_atomic(target, b"two")
    assert target.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["a.json"]


def test_new_file_follows_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a", b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_keeps_the_mode_of_the_file_it_replaces(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"")
    target.chmod(0o604)
    write_atomic(target, b"x")
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


def test_follows_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"")
    (tmp_path / "link").symlink_to("real")
    write_atomic(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"x"


def test_missing_folder_is_named(tmp_path: Path) -> None:
    target = tmp_path / "no" / "a"
    with pytest.raises(ResultsError, match=r"no/a: cannot write: No such file"):
        write_atomic(target, b"")
    assert os.listdir(tmp_path) == []


def test_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(ResultsError, match="Is a directory"):
        write_atomic(tmp_path / "d", b"")
    assert os.listdir(tmp_path) == ["d"]


def test_failed_rename_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ResultsError, match="No space left"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_interrupt_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == []


def killed_writer(folder: Path) -> Path:
    """Return the temporary file of a writer that was killed in the middle."""
    if (pid := os.fork()) == 0:
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        write_atomic(folder / "a", b"new")
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    (left,) = folder.glob(".a.*")
    return left


def age(path: Path) -> None:
    past = time.time() - 3600
    os.utime(path, (past, past))


def test_what_a_killed_writer_left_is_removed_by_the_next_process(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    left = killed_writer(tmp_path)
    assert (tmp_path / "a").read_bytes() == b"old"
    age(left)
    write_atomic(tmp_path / "b", b"1")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_the_sweep_leaves_alone_what_may_be_in_use_or_is_another_thing(tmp_path: Path) -> None:
    young = killed_writer(tmp_path)
    locked, link, folder = (tmp_path / f".{name}.x.perfcore.tmp" for name in ("locked", "link", "folder"))
    others = [tmp_path / name for name in (".a.tmp", "a.perfcore.tmp", "precious")]
    for path in (locked, *others):
        path.write_bytes(b"x")
    link.symlink_to("precious")
    folder.mkdir()
    for path in (locked, folder, *others):
        age(path)
    with locked.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        age(locked)
        before = set(os.listdir(tmp_path))
        write_atomic(tmp_path / "b", b"1")
    assert set(os.listdir(tmp_path)) == before | {"b"}
    assert young.exists()
    assert (tmp_path / "precious").read_bytes() == b"x"


def test_a_writer_whose_temporary_file_was_swept_away_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, taken = fcntl.flock, []

    def swept(descriptor: int, operation: int) -> None:
        if not taken:
            taken.extend(tmp_path.glob(".a.*"))
            os.unlink(taken[0])
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", swept)
    write_atomic(tmp_path / "a", b"whole")
    assert taken
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    left = killed_writer(tmp_path)
    age(left)
    monkeypatch.setattr(fcntl, "flock", unsupported)
    write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert left.exists()  # nobody can tell whether its writer lives
