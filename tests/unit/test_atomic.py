# SPDX-License-Identifier: MIT
import fcntl
import os
import signal
import socket
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


def test_a_pipe_with_a_name_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    descriptor = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomic(tmp_path / "pipe", b"x")
        assert os.read(descriptor, 9) == b"x"
    finally:
        os.close(descriptor)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_device_is_written_to(tmp_path: Path) -> None:
    """As root, `-o /dev/null` would have put a regular file in the place of the machine's device."""
    try:
        os.mknod(tmp_path / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.close(os.open(tmp_path / "null", os.O_WRONLY))
    except PermissionError:
        pytest.skip("no permission to make a device, or to use one there")
    (tmp_path / "link").symlink_to("null")
    for name in ("null", "link"):
        write_atomic(tmp_path / name, b"x")
    assert stat.S_ISCHR((tmp_path / "null").lstat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["link", "null"]


def test_a_socket_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # its path may be too long for an address
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
        with pytest.raises(ResultsError, match="socket: cannot write: No such device"):
            write_atomic("socket", b"x")
        assert stat.S_ISSOCK(os.stat("socket").st_mode)


@pytest.mark.parametrize("form", ["/dev/fd/{}", "/proc/self/fd/{}", "link"])
def test_a_descriptor_of_this_process_is_written_to(tmp_path: Path, form: str) -> None:
    """What `-o /dev/stdout` and `-o >(...)` name: a pipe, or a file, which goes on where it stood."""
    parent, child = os.pipe()
    (tmp_path / "file").write_bytes(b"")
    with open(tmp_path / "file", "r+b", buffering=0) as file:
        file.write(b"before ")
        (tmp_path / "link").symlink_to(f"/dev/fd/{child}")
        write_atomic(tmp_path / form.format(child), b"x")
        assert os.read(parent, 9) == b"x"
        write_atomic(f"/dev/fd/{file.fileno()}", b"it ")
        file.write(b"after")
    os.close(parent)
    with pytest.raises(ResultsError, match="cannot write: Broken pipe"):
        write_atomic(tmp_path / form.format(child), b"x")
    os.close(child)
    assert (tmp_path / "file").read_bytes() == b"before it after"
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


@pytest.mark.parametrize("name", ["あ" * 80 + ".json", "a" * 250, "é" * 127], ids=["three", "one", "two"])
def test_a_name_as_long_as_they_may_be(tmp_path: Path, name: str) -> None:
    write_atomic(tmp_path / name, b"x")
    assert os.listdir(tmp_path) == [name]


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
