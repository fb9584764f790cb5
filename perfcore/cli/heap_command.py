# SPDX-License-Identifier: MIT
"""``perfcore heap``: run a script and say what its heap holds: by type, by call site, as a flame graph."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import CodeType, ModuleType
from typing import TextIO

from perfcore.cli import Parser, UsageError
from perfcore.cli.options import need_folder
from perfcore.errors import MeasureError
from perfcore.report.text import printable

_EXAMPLES = """\
examples:
  perfcore heap script.py argument
  perfcore heap --top 20 --json --output heap.json -m package.module
  perfcore heap --flamegraph heap.svg script.py
  perfcore heap --flamegraph heap.html script.py        # by memray, native frames too, where it is installed
  perfcore heap --flamegraph heap.json script.py        # the stacks, for speedscope.app and perfcore report (or .txt)

The tables show what the script has left on the heap when it ends. They go to stderr, as the script's own output has
stdout; --output writes them to a file. The flame graph shows the heap at its largest.

exit codes: 0 the script succeeded; 1 it failed; 2 it cannot be run, or something cannot be written
"""


def parser() -> Parser:
    """Return the parser of this command."""
    made = Parser(
        prog="perfcore heap",
        usage="perfcore heap [options] SCRIPT [ARGUMENT ...]\n       perfcore heap [options] -m MODULE [ARGUMENT ...]",
        description="Run a script in this process and say what its heap holds, by type and by call site.",
        epilog=_EXAMPLES,
    )
    made.add_argument("--top", type=_count, default=10, metavar="N", help="rows of each table (10)")
    made.add_argument(
        "--flamegraph", type=Path, metavar="FILE", help="instead of tables: FILE.svg, .html, .json or .txt"
    )
    made.add_argument("--json", action="store_true", help="write JSON instead of tables")
    made.add_argument("--output", "-o", metavar="FILE", type=Path, help="write there, not to stderr")
    made.add_argument("-m", dest="module", metavar="MODULE", nargs=argparse.REMAINDER, help="run a module")
    made.add_argument("script", metavar="SCRIPT", nargs=argparse.REMAINDER, help="the script and its arguments")
    return made


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 10000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows; give 1 to 10000")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    words = args.module if args.module is not None else args.script
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        raise UsageError("give a script or -m MODULE; see: perfcore heap --help")
    for output in (args.output, args.flamegraph):
        need_folder(output)
    path = sys.path[:]
    try:
        return _picture(args, words) if args.flamegraph is not None else _tables(args, words)
    finally:
        sys.path[:] = path


def _picture(args: argparse.Namespace, words: list[str]) -> int:
    if args.flamegraph.suffix not in {".svg", ".html", ".json", ".txt"}:
        raise UsageError(f"--flamegraph writes .svg, .html, .json or .txt, not {printable(args.flamegraph.name)!r}")
    if args.json or args.output is not None:
        raise UsageError("--flamegraph writes a picture alone: --json and --output are for the tables")
    code, module = _load(words, is_module=args.module is not None)
    with _flamegraph(args.flamegraph):
        return int(_run_as_main(code, module, words))


def _tables(args: argparse.Namespace, words: list[str]) -> int:
    from perfcore.measure.allocations import track_allocations
    from perfcore.measure.heap import heap_snapshot

    code, module = _load(words, is_module=args.module is not None)
    with track_allocations(sites=True) as tracker:
        before = heap_snapshot(tracker)
        failed = _run_as_main(code, module, words)
        after = heap_snapshot(tracker)  # the module's names are alive, as at the end of the script
    change = after.diff(before)
    if args.json:
        document = {"schema": 1, "command": "heap", "failed": failed}
        text = json.dumps(document | {"heap": after.as_dict(), "change": change.as_dict()}, indent=2)
    else:
        text = f"at the end, since before the script:\n{change.text(args.top)}"
    _write(args.output, text)
    return int(failed)


def _load(words: list[str], *, is_module: bool) -> tuple[CodeType, ModuleType]:
    """Return the code to run and the module to run it in."""
    name = words[0]
    main = ModuleType("__main__")
    if not is_module:
        if not Path(name).is_file():
            raise MeasureError(f"there is no script {printable(name)}; give the path of a Python file, or -m MODULE")
        main.__file__ = name
        sys.path.insert(0, str(Path(name).resolve().parent))
        try:
            with io.open_code(str(Path(name).resolve())) as file:
                return compile(file.read(), name, "exec", dont_inherit=True), main
        except (SyntaxError, ValueError) as error:
            raise MeasureError(f"{printable(name)} is no Python script: {error}") from None
    sys.path.insert(0, os.getcwd())
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
        code = None if spec is None or spec.loader is None else spec.loader.get_code(spec.name)  # type: ignore[attr-defined]
    except (ImportError, AttributeError, ValueError, SyntaxError) as error:
        raise MeasureError(f"module {printable(name)} cannot be run: {error}") from None
    if spec is None or code is None:
        raise MeasureError(f"there is no module {printable(name)} with Python code; give its name as `import` takes it")
    main.__spec__, main.__package__, main.__file__ = spec, spec.parent, spec.origin
    words[0] = spec.origin or name
    return code, main


def _tell(what: object, stream: TextIO | None) -> None:
    """Print a line where somebody can be told: the script may have closed the stream, or put anything in its place."""
    if stream is not None:
        with contextlib.suppress(AttributeError, ValueError):
            print(what, file=stream)


def _show(error: Exception) -> None:
    """Show what a script has raised as Python does: by the script's own hook, and from the script's own lines on.

    Raises:
        SystemExit: the hook's.

    """
    error = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except Exception as failure:  # noqa: BLE001 - the hook is the script's
        failure = failure.with_traceback(failure.__traceback__ and failure.__traceback__.tb_next)
        texts = ["".join(traceback.format_exception(one)) for one in (failure, error)]
        _tell(f"Error in sys.excepthook:\n{texts[0]}\nOriginal exception was:\n{texts[1]}".rstrip("\n"), sys.stderr)


def _run_as_main(code: CodeType, main: ModuleType, words: list[str]) -> bool:
    """Run a script as Python itself would; return whether it failed."""
    argv, before, out, err = sys.argv, sys.modules["__main__"], sys.stdout, sys.stderr
    sys.argv, sys.modules["__main__"] = list(words), main
    raised: Exception | None = None
    try:
        try:
            exec(code, main.__dict__)  # noqa: S102 - that is what the command is for
        except Exception as error:  # noqa: BLE001 - whatever the script raises is the script's
            raised = error
        if raised is not None:
            _show(raised)
            return True
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return bool(end.code)
        _tell(end.code, sys.stderr or err)
        return True
    finally:
        sys.argv, sys.modules["__main__"] = argv, before
        with contextlib.suppress(AttributeError, ValueError):  # the script may have closed it, or put anything there
            sys.stdout.flush()
        sys.stdout, sys.stderr = out, err
    return False


def _flamegraph(target: Path) -> AbstractContextManager[object]:
    """Return what watches the heap, and writes the flame graph in the end."""
    if target.suffix == ".html" and _has_memray():
        return _by_memray(target)
    return _by_tracemalloc(target)


def _has_memray() -> bool:
    return importlib.util.find_spec("memray") is not None


@contextlib.contextmanager
def _by_tracemalloc(target: Path) -> Iterator[object]:
    from perfcore.measure.stacks import HeapStacks
    from perfcore.record.atomic import write_atomic
    from perfcore.report.icicle import render_svg
    from perfcore.report.stacks import render_folded, render_speedscope
    from perfcore.units import format_bytes

    with HeapStacks(below=__file__) as stacks:
        yield stacks
    found = stacks.largest
    if not found and not stacks.whole:
        raise MeasureError(f"{printable(str(target))}: nothing to draw: the program has stopped tracemalloc")
    title = f"the heap at its largest: {format_bytes(sum(found.values()))}"
    if target.suffix == ".txt":
        text = render_folded(found)
    elif target.suffix == ".json":
        text = render_speedscope(found, title, "bytes")
    else:
        text = render_svg(found, title, format_bytes)
    if target.suffix == ".html":
        head = '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>heap</title></head>'
        text = f"{head}<body>\n{text}</body></html>\n"
    write_atomic(target, text.encode())
    part = "" if stacks.whole else ", in part: the program has stopped it"
    _tell(f"perfcore: {printable(str(target))}: flame graph by tracemalloc, Python frames{part}", sys.stderr)


@contextlib.contextmanager
def _by_memray(target: Path) -> Iterator[object]:
    memray = importlib.import_module("memray")
    with tempfile.TemporaryDirectory(prefix="perfcore-heap-") as folder:
        record = Path(folder, "heap.bin")
        with memray.Tracker(str(record), native_traces=True):
            yield memray
        done = subprocess.run(
            [sys.executable, "-m", "memray", "flamegraph", "--force", "--output", str(target), str(record)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
            raise MeasureError(f"memray could not write {printable(str(target))}: {printable(last[0])}")
    _tell(f"perfcore: {printable(str(target))}: flame graph by memray, native frames too", sys.stderr)


def _write(output: Path | None, text: str) -> None:
    from perfcore.record.atomic import write_atomic

    text = "\n".join(printable(line) for line in text.splitlines())
    if output is None:
        _tell(text, sys.stderr)
    else:
        write_atomic(output, (text + "\n").encode())
