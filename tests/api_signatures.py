# SPDX-License-Identifier: MIT
"""How to call what is in a syntax tree, as the API reference shows it: on one line, or one argument to a line."""

from __future__ import annotations

import ast

Function = ast.FunctionDef | ast.AsyncFunctionDef


def arguments(node: Function, bound: bool) -> list[str]:
    """Return the arguments of a function as they are written, without self."""
    plain = [*node.args.posonlyargs, *node.args.args]
    defaults = [None] * (len(plain) - len(node.args.defaults)) + node.args.defaults
    made = [shown(one, default) for one, default in zip(plain, defaults, strict=True)]
    if node.args.posonlyargs:
        made.insert(len(node.args.posonlyargs), "/")
    if node.args.vararg:
        made.append(f"*{shown(node.args.vararg)}")
    elif node.args.kwonlyargs:
        made.append("*")
    made += [shown(one, default) for one, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
    if node.args.kwarg:
        made.append(f"**{shown(node.args.kwarg)}")
    if bound and "staticmethod" not in decorators(node):
        made = made[1:]
        made = made[1:] if made[:1] == ["/"] else made
    return made


def shown(argument: ast.arg, default: ast.expr | None = None) -> str:
    """Return an argument as it is written."""
    text = ast.unparse(argument)
    if default is None:
        return text
    return f"{text} = {ast.unparse(default)}" if argument.annotation else f"{text}={ast.unparse(default)}"


def folded(start: str, inside: list[str], end: str) -> str:
    """Return the parts in one line, or with one argument to a line where that is too long."""
    line = f"{start}{', '.join(inside)}{end}"
    return line if len(line) <= 100 else "\n".join([start, *(f"    {one}," for one in inside), end])


def signature(name: str, node: Function, bound: bool) -> str:
    """Return how to call a function."""
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    prefix = "await " if isinstance(node, ast.AsyncFunctionDef) else ""
    return folded(f"{prefix}{name}(", arguments(node, bound), f"){returned}")


def decorators(node: ast.AST) -> set[str]:
    """Return the names of what decorates a definition."""
    found = getattr(node, "decorator_list", [])
    return {ast.unparse(one.func if isinstance(one, ast.Call) else one).rpartition(".")[2] for one in found}


def constructor(cls: type, nodes: list[ast.ClassDef]) -> str:
    """Return how to make an object of a class: its __init__, or its fields."""
    if "Protocol" in [ast.unparse(base) for base in nodes[0].bases]:
        return f"class {cls.__name__}(Protocol)"
    for node in nodes:
        for wanted in ("__init__", "__new__"):
            for one in node.body:
                if isinstance(one, ast.FunctionDef) and one.name == wanted:
                    return folded(f"{cls.__name__}(", arguments(one, True), ")")
    if not ({"dataclass"} & decorators(nodes[0]) or "NamedTuple" in [ast.unparse(base) for base in nodes[0].bases]):
        return f"class {cls.__name__}"
    parts = []
    for node in reversed(nodes):
        for one in node.body:
            if isinstance(one, ast.AnnAssign) and "ClassVar" not in ast.unparse(one.annotation):
                default = one.value
                if isinstance(default, ast.Call) and ast.unparse(default.func) == "field":
                    given = {keyword.arg: keyword.value for keyword in default.keywords}
                    default = given.get("default") or (ast.Constant(...) if "default_factory" in given else None)
                name, kind = ast.unparse(one.target), ast.unparse(one.annotation)
                if not name.startswith("_"):
                    parts.append(f"{name}: {kind}" + (f" = {ast.unparse(default)}" if default else ""))
    # A base's field with a default may come before one without.
    bare = next((at for at, part in enumerate(parts) if " = " in part), len(parts))
    late = [part for part in parts[bare:] if " = " not in part]
    return folded(f"{cls.__name__}(", [*parts[:bare], *late, *(one for one in parts[bare:] if one not in late)], ")")
