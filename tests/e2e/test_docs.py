# SPDX-License-Identifier: MIT
"""The documentation: its Python runs, its commands parse, its configuration is read, its links lead somewhere."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import api_reference
import pytest
from results_files import benchmark, write

from perfcore.cli import COMMANDS
from perfcore.config import load_config

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "benchmarks/README.md",
    *sorted((ROOT / ".github").glob("*.md")),
    *sorted((ROOT / ".github/guide").rglob("*.md")),
]

# What the examples take as given: the reader's own code.
PREAMBLE = """
import asyncio, os, threading
import pytest
import perfcore

pid = os.getpid()
TEXT = "a,b,c" * 10

def work():
    return sum(range(1000))

def read():
    return [bytes(1000) for _ in range(100)]

def parse(text):
    return text.split(",")

def lookup(key):
    return {"key": 1}[key]
"""


def blocks(kind: str) -> list[object]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 2
            found.append(pytest.param(match[1], id=f"{page.relative_to(ROOT)}:{line}"))
    return found


@pytest.mark.parametrize("source", blocks("python"))
def test_python(source: str, tmp_path: Path) -> None:
    tree = ast.parse(source)
    tests = any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in tree.body)
    path = tmp_path / ("test_example.py" if tests else "example.py")
    path.write_text(PREAMBLE + source, encoding="utf-8")
    for name in ("old.json", "new.json", "lanes.json"):  # results that the reader has measured
        write(tmp_path / name, benchmark("a"), benchmark("b", median=2e-6))
    command = [sys.executable, "-P", *(["-m", "pytest", "-q", "-p", "no:cacheprovider"] if tests else []), path.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def commands() -> list[object]:
    found = []
    for block in blocks("sh"):
        for line in block.values[0].splitlines():  # type: ignore[attr-defined]
            words = shlex.split(line, comments=True)
            if words and words[0] == "perfcore":
                end = next((at for at, word in enumerate(words) if word in {"|", "||", ">", ">>", "&&"}), len(words))
                found.append(pytest.param(words[1:end], id=f"{block.id}: {' '.join(words[1:end])}"))  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("words", commands())
def test_commands_parse(words: list[str]) -> None:
    assert words[0] in COMMANDS, words
    module = importlib.import_module(f"perfcore.cli.{words[0].replace('-', '_')}_command")
    module.parser().parse_args([word.strip("[]") for word in words[1:]])


@pytest.mark.parametrize("source", blocks("toml"))
def test_configuration_is_accepted(source: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(source, encoding="utf-8")
    load_config(tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_reference_is_what_the_docstrings_say() -> None:
    # In an interpreter of its own: which classes there are depends on what is imported.
    command = [sys.executable, "-P", api_reference.__file__, "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_reference_says_something_of_every_name() -> None:
    text = api_reference.GUIDE.joinpath("api.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("| [") and line.endswith("|  |")] == []
    for path in api_reference.GUIDE.glob("api/*.md"):
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"^- `\w+: [^`]*`$", text, re.MULTILINE) == [], path.name  # a property
        bare = re.findall(r"^```py\n(.*)\n```\n\n(?=```py|#|\Z)", text, re.MULTILINE)
        # What has no docstring: another name for something (Policy = ..., Full = queue.Full).
        assert [head for head in bare if " = " not in head] == [], path.name


def test_every_extra_that_is_named_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    sources = [*PAGES, *(ROOT / "perfcore").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    named = {
        (path.name, extra)
        for path in sources
        for found in re.findall(r"perfcore\[([a-z, ]+)\]", path.read_text(encoding="utf-8"))
        for extra in re.split(", *", found)
    }
    assert {extra for _, extra in named} >= {"history", "suites"}
    assert sorted((name, extra) for name, extra in named if extra not in extras) == []


def test_every_command_is_documented() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    missing = [name for name in COMMANDS if f"perfcore {name}" not in text]
    assert missing == []
