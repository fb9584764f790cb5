# SPDX-License-Identifier: MIT
"""Writes the API reference of the guide from the code's own signatures and docstrings.

    python -P tests/api_reference.py            # write .github/guide/api.md and .github/guide/api/
    python -P tests/api_reference.py --check    # exit code 1 where they are not what the code says

Covered is every name in the ``__all__`` of perfcore, perfcore.messaging, perfcore.codecs, perfcore.errors and the
modules of perfcore.suite, and every class of perfcore that their signatures name. Signatures are read from the sources
(of C types from the stubs), so that the pages are the same on every Python; docstrings are those that ``help()`` shows.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # for python -P

from api_signatures import Function, constructor, decorators, signature

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / ".github/guide"
HEAD = "<!-- Made by tests/api_reference.py from the docstrings: change those, and run it. -->\n\n"
ROLE = r":(?:class|func|meth|mod):(`[^`]+`)"
STUBS = (ROOT / "perfcore/_core.pyi", ROOT / "perfcore/_memtrace.pyi")
SECTIONS = ("Args", "Attributes", "Returns", "Raises", "Yields")

PAGES = {  # file: title, what it is about, modules
    "perfcore": ("perfcore", "Measuring, judging and watching from Python.", ["perfcore"]),
    "messaging": ("perfcore.messaging", "", ["perfcore.messaging"]),
    "codecs": ("perfcore.codecs", "", ["perfcore.codecs"]),
    "suite": ("perfcore.suite", "Whole workloads: agents, load, databases, servers.", ["perfcore.suite"]),
    "errors": ("perfcore.errors", "", ["perfcore.errors"]),
    "types": ("Types that the others return or take", "", []),
}


@dataclass(frozen=True)
class Entry:
    """One documented name: the module to import it from, the object, its definition in the sources."""

    module: str
    name: str
    value: Any
    node: ast.AST | None


def modules(name: str) -> list[ModuleType]:
    """Return a module, or for a package of modules those that say what is public in them."""
    module = importlib.import_module(name)
    if hasattr(module, "__all__") or name == "perfcore.errors":
        return [module]
    folder = Path(module.__path__[0])
    found = [importlib.import_module(f"{name}.{path.stem}") for path in sorted(folder.glob("[a-z]*.py"))]
    return [one for one in found if hasattr(one, "__all__")]


@cache
def definitions(file: Path) -> dict[str, ast.AST]:
    """Return what a source file, or a stub, defines at its top, by name."""
    found: dict[str, ast.AST] = {}
    before: Any = None
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and before is not None:
            before.said = inspect.cleandoc(str(node.value.value))  # the text below a constant
        before = node
        if isinstance(node, ast.ClassDef | Function):
            found[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
    return found


def source(value: Any) -> Path | None:
    """Return the file that says how an object of perfcore is called: its source, or the stub of a C type."""
    home = getattr(value, "__module__", None) or ""
    if not isinstance(home, str) or home.split(".")[0] != "perfcore":
        return None
    file = Path(importlib.import_module(home).__file__ or "")
    for path in (file, *STUBS):  # a C type may name the module that it is imported from as its own
        if path.suffix in {".py", ".pyi"} and getattr(value, "__name__", "") in definitions(path):
            return path
    return None


def entry(module: ModuleType, name: str) -> Entry:
    """Return the entry of a public name."""
    value = getattr(module, name)
    if isinstance(value, ModuleType):  # perfcore.measure, which can be called
        value = importlib.import_module("perfcore.api").measure
    file = source(value)
    node = definitions(file).get(value.__name__) if file else definitions(Path(module.__file__ or "")).get(name)
    return Entry(module.__name__, name, value, node)


def public(module: ModuleType) -> list[str]:
    """Return the public names of a module, in the order of the alphabet."""
    named = getattr(module, "__all__", None)
    if named is None:
        named = [
            name
            for name, value in vars(module).items()
            if inspect.isclass(value) and value.__module__ == module.__name__
        ]
    return sorted((name for name in named if name != "__version__"), key=str.lower)


# --- docstrings ----------------------------------------------------------------------------------------------------


def markdown(docstring: str | None) -> str:
    """Return a docstring as Markdown: sections become lists, sessions and tables are fenced."""
    if not docstring:
        return ""
    out: list[str] = []
    section, fenced = "", False
    for line in re.sub(ROLE, r"\1", docstring).splitlines():
        if fenced and not line.strip():
            out.append("```")
            fenced = False
        if line.rstrip(":") in SECTIONS and line.endswith(":"):
            section = line.rstrip(":")
            out += [f"**{section}**", ""]
            continue
        if section and line and not line.startswith(" "):
            section = ""
        if not fenced and line.startswith((">>>", "====")):
            out.append("```pycon" if line.startswith(">>>") else "```text")
            fenced = True
        if section and (item := re.fullmatch(r"    (\*{0,2}\w[\w.]*): (.*)", line)):
            line = f"- `{item[1]}`: {item[2]}"  # noqa: PLW2901
        elif section:
            line = line[2:] if line.startswith("     ") else line.strip()  # noqa: PLW2901
        out.append(re.sub(r"\s*# doctest:.*", "", line))
    if fenced:
        out.append("```")
    return "\n".join(out).strip()


def foreign(value: Any) -> str:
    """Return the full name of another library's object; queue.Empty comes from _queue."""
    return f"{value.__module__.lstrip('_')}.{value.__qualname__}"


def docstring(one: Entry) -> str:
    """Return what is said of a name: a class's or a function's own docstring, or the text below a constant."""
    if isinstance(one.node, ast.ClassDef | Function):
        return inspect.getdoc(one.value) or ""
    return str(getattr(one.node, "said", ""))


def summary(one: Entry) -> str:
    """Return what the index says of a name: the docstring's first paragraph, or what it stands for."""
    if one.node is None:
        return f"`{foreign(one.value)}`"
    if not (said := docstring(one)):
        value = ast.unparse(getattr(one.node, "value", one.node))
        return f"`{value}`".replace("|", "\\|") if len(value) <= 80 else ""
    text = said.partition("\n\n")[0].replace("\n", " ")
    return re.sub(ROLE, r"\1", text).replace("|", "\\|")


# --- entries -------------------------------------------------------------------------------------------------------


def lineage(cls: type) -> list[ast.ClassDef]:
    """Return the definitions of a class and of its bases in perfcore, the class first."""
    found = []
    for base in cls.__mro__:
        file = source(base)
        node = definitions(file).get(base.__name__) if file else None
        if isinstance(node, ast.ClassDef):
            found.append(node)
    return found


def members(cls: type) -> Iterator[str]:
    """Write the public properties of a class in a list, and its methods."""
    properties, methods = [], []
    seen: set[str] = set()
    for node in lineage(cls):
        for one in node.body:
            name = getattr(one, "name", "")
            if not isinstance(one, Function) or name.startswith("_") or name in seen:
                continue
            seen.add(name)
            said = markdown(inspect.getdoc(inspect.getattr_static(cls, name)) or inspect.getdoc(getattr(cls, name)))
            if decorators(one) & {"property", "cached_property"}:
                kind = f": {ast.unparse(one.returns)}" if one.returns else ""
                properties.append(f"- `{name}{kind}`" + (f": {said}" if said else "").replace("\n", "\n  "))
            else:
                methods.append(
                    f"```py\n.{signature(name, one, bound=True)}\n```\n\n{said}\n".replace(".await ", "await .")
                )
    if properties:
        yield "\n".join(["**Properties**\n", *properties, ""])
    yield from methods


def section(one: Entry, home: bool) -> str:
    """Write the section of a name; ``home`` says from which module it can be imported."""
    parts = [f"### {one.name}\n", f"In `{one.module}`.\n" if home else ""]
    if inspect.isclass(one.value) and isinstance(one.node, ast.ClassDef):
        if issubclass(one.value, BaseException):
            head = f"class {one.name}({', '.join(base.__name__ for base in one.value.__bases__)})"
        else:
            head = constructor(one.value, lineage(one.value))
    elif isinstance(one.node, Function):
        head = signature(one.name, one.node, bound=False)
    elif one.node is not None:
        head = ast.unparse(one.node)
    else:  # another library's, under our name, such as queue.Full
        head = f"{one.name} = {foreign(one.value)}"
    parts.append(f"```py\n{head}\n```\n")
    if said := markdown(docstring(one)):
        parts.append(f"{said}\n")
    if inspect.isclass(one.value):
        parts += members(one.value)
    return "\n".join(parts)


def named_types(entries: list[Entry]) -> list[Entry]:
    """Return the classes of perfcore that signatures name and that have no entry yet, found again and again."""
    known = {one.value for one in entries if inspect.isclass(one.value)}
    found: list[Entry] = []
    waiting = list(entries)
    while waiting:
        one = waiting.pop(0)
        if one.node is None:
            continue
        home = importlib.import_module(one.value.__module__) if hasattr(one.value, "__module__") else None
        nodes = lineage(one.value) if inspect.isclass(one.value) else [one.node]
        words = {word for node in nodes for word in mentioned(node)}
        for word in sorted(words):
            value = getattr(home, word, None)
            if value is None:
                value = next((vars(m)[word] for m in list(sys.modules.values()) if is_home(m, word)), None)
            if inspect.isclass(value) and source(value) and value not in known and not word.startswith("_"):
                known.add(value)
                made = entry(importlib.import_module(value.__module__), value.__name__)
                found.append(made)
                waiting.append(made)
    return sorted(found, key=lambda one: one.name.lower())


def is_home(module: ModuleType | None, name: str) -> bool:
    """Return whether a class of that name was made in that module of perfcore."""
    where = getattr(module, "__name__", "")
    return where.startswith("perfcore") and getattr(vars(module).get(name), "__module__", None) == where


def mentioned(node: ast.AST) -> set[str]:
    """Return the names in the public annotations of a definition."""
    found: set[str] = set()
    if isinstance(node, ast.ClassDef):
        for one in node.body:
            if isinstance(one, ast.AnnAssign):
                found |= words_of(one.annotation)
            elif isinstance(one, Function) and (not one.name.startswith("_") or one.name == "__init__"):
                found |= mentioned(one)
    elif isinstance(node, Function):
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        for annotation in (node.returns, *(one.annotation for one in every)):
            found |= words_of(annotation)
    return found


def words_of(annotation: ast.expr | None) -> set[str]:
    """Return the names that an annotation is made of."""
    return {one.id for one in ast.walk(annotation) if isinstance(one, ast.Name)} if annotation else set()


def pages() -> dict[Path, str]:
    """Return the text of every page of the reference."""
    made: dict[Path, str] = {}
    index = [
        f"{HEAD}# API reference\n",
        "What can be imported, from the docstrings. Seconds, bytes and nanoseconds are",
    ]
    index[-1] += (
        " named where they are meant; an error that is not listed is a mistake in the call (TypeError, ValueError).\n"
    )
    done: list[Entry] = []
    entries_of: dict[str, list[tuple[ModuleType | None, list[Entry]]]] = {}
    for stem in (
        "errors",
        *PAGES,
    ):  # each name once: an error among the errors, also where it can be imported elsewhere
        if stem in entries_of:
            continue
        found = entries_of[stem] = []
        for module in [one for name in PAGES[stem][2] for one in modules(name)]:
            fresh = [entry(module, name) for name in public(module)]
            fresh = [one for one in fresh if one.value not in [before.value for before in done]]
            done += fresh
            found.append((module, fresh))
        if not PAGES[stem][2]:
            found.append((None, named_types(done)))
    for stem, (title, about, _) in PAGES.items():
        found = entries_of[stem]
        slugs = Counter([title.replace(".", "").lower()])
        text = [f"{HEAD}# {title}\n", "[All names](../api.md)\n"]
        index += [f"## {title}\n", f"{about}\n" if about else "", "| | |\n|---|---|"]
        for module, entries in found:
            if not entries:
                continue
            if module is not None:
                several = len(found) > 1
                text += [f"## {module.__name__}\n" if several else "", f"{markdown(inspect.getdoc(module))}\n"]
            for one in entries:
                text.append(section(one, home=module is None))
                slug = one.name.lower()
                slugs[slug] += 1  # GitHub numbers headings that differ in case alone
                link = f"api/{stem}.md#{slug}" + (f"-{slugs[slug] - 1}" if slugs[slug] > 1 else "")
                index.append(f"| [`{one.name}`]({link}) | {summary(one)} |")
        index.append("")
        made[GUIDE / "api" / f"{stem}.md"] = re.sub(r"\n{3,}", "\n\n", "\n".join(text)).rstrip() + "\n"
    made[GUIDE / "api.md"] = re.sub(r"\n{3,}", "\n\n", "\n".join(index)).rstrip() + "\n"
    return made


def main(check: bool) -> int:
    """Write the pages, or compare them; return the exit code."""
    made = pages()
    old = [path for path in (GUIDE / "api").glob("*.md") if path not in made]
    stale = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text] + old
    if check:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what the docstrings say; run: python -P tests/api_reference.py")
        return 1 if stale else 0
    (GUIDE / "api").mkdir(exist_ok=True)
    for path in old:
        path.unlink()
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
