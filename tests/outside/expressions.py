# SPDX-License-Identifier: MIT
"""The expressions of GitHub's workflows, as much of them as ours use.

``${{ github.ref == 'refs/heads/main' && inputs.quick }}``: literals, contexts with dots and brackets, comparisons,
``!``, ``&&``, ``||``, parentheses, the status functions, ``contains``, ``startsWith``, ``endsWith`` and ``format``.
What is not known is an error, never an empty string. Source: GitHub's "Evaluate expressions in workflows and actions";
the loose comparison and the truth of values are those written there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w-]*)"
    r"|(?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\].,]))"
)
STATUS = re.compile(r"\b(always|success|failure|cancelled)\s*\(")


class ExpressionError(Exception):
    """One line that says which expression, and what of it is not understood."""


def truth(value: Any) -> bool:
    """Return whether GitHub takes a value for true."""
    return value not in (None, False, 0, "") and not (isinstance(value, float) and math.isnan(value))


def text(value: Any) -> str:
    """Return a value as it stands in a string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict | list):
        return "Object" if isinstance(value, dict) else "Array"
    return str(value)


def _number(value: Any) -> float:
    if value is None or value == "":
        return 0.0
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    if type(left) is type(right):
        return bool(left == right)
    return _number(left) == _number(right)


def _contains(where: Any, what: Any) -> bool:
    if isinstance(where, list):
        return any(_equal(one, what) for one in where)
    return text(what).lower() in text(where).lower()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "contains": _contains,
    "startsWith": lambda whole, part: text(whole).lower().startswith(text(part).lower()),
    "endsWith": lambda whole, part: text(whole).lower().endswith(text(part).lower()),
    "format": lambda form, *values: re.sub(r"\{(\d+)\}", lambda at: text(values[int(at[1])]), text(form)),
}
STATUSES: dict[str, Callable[[str], bool]] = {
    "always": lambda status: True,
    "success": lambda status: status == "success",
    "failure": lambda status: status == "failure",
    "cancelled": lambda status: status == "cancelled",
}


class _Reader:
    """One expression, read from left to right."""

    def __init__(self, source: str, contexts: Mapping[str, Any], status: str) -> None:
        self.source, self.contexts, self.status = source, contexts, status
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while source[at:].strip():
            if (found := TOKEN.match(source, at)) is None:
                raise ExpressionError(f"${{{{ {source} }}}}: cannot read {source[at:].strip()!r}")
            kind = found.lastgroup or ""
            self.tokens.append((kind, found[kind]))
            at = found.end()

    def wrong(self, what: str) -> ExpressionError:
        return ExpressionError(f"${{{{ {self.source} }}}}: {what}")

    def peek(self) -> str:
        return self.tokens[0][1] if self.tokens and self.tokens[0][0] != "string" else ""

    def take(self, wanted: str = "") -> tuple[str, str]:
        if not self.tokens or (wanted and self.peek() != wanted):
            raise self.wrong(f"expected {wanted or 'more'}")
        return self.tokens.pop(0)

    def whole(self) -> Any:
        value = self.either()
        if self.tokens:
            raise self.wrong(f"cannot go on at {self.tokens[0][1]!r}")
        return value

    def either(self) -> Any:
        value = self.both()
        while self.peek() == "||":
            self.take()
            other = self.both()
            value = value if truth(value) else other
        return value

    def both(self) -> Any:
        value = self.compared()
        while self.peek() == "&&":
            self.take()
            other = self.compared()
            value = other if truth(value) else value
        return value

    def compared(self) -> Any:
        value = self.single()
        while (sign := self.peek()) in {"==", "!=", "<", "<=", ">", ">="}:
            self.take()
            other = self.single()
            if sign in {"==", "!="}:
                value = _equal(value, other) == (sign == "==")
            else:
                low, high = _number(value), _number(other)
                value = {"<": low < high, "<=": low <= high, ">": low > high, ">=": low >= high}[sign]
        return value

    def single(self) -> Any:
        if self.peek() == "!":
            self.take()
            return not truth(self.single())
        if self.peek() == "(":
            self.take()
            value = self.either()
            self.take(")")
            return value
        kind, word = self.take()
        if kind == "string":
            return word[1:-1].replace("''", "'")
        if kind == "number":
            return float(word)
        if kind != "name":
            raise self.wrong(f"a value cannot begin with {word!r}")
        if word in {"true", "false", "null"}:
            return {"true": True, "false": False, "null": None}[word]
        return self.called(word) if self.peek() == "(" else self.looked_up(word)

    def called(self, name: str) -> Any:
        self.take("(")
        values = []
        while self.peek() != ")":
            values.append(self.either())
            if self.peek() == ",":
                self.take()
        self.take(")")
        if name in STATUSES:
            return STATUSES[name](self.status)
        if name not in FUNCTIONS:
            raise self.wrong(f"the function {name} is not known here")
        return FUNCTIONS[name](*values)

    def looked_up(self, name: str) -> Any:
        if name not in self.contexts:
            raise self.wrong(f"the context {name} is not known here")
        value = self.contexts[name]
        while self.peek() in {".", "["}:
            if self.take()[1] == ".":
                key: Any = self.take()[1]
            else:
                key = self.either()
                self.take("]")
            value = value.get(key) if isinstance(value, Mapping) else None
        return value


def evaluate(source: str, contexts: Mapping[str, Any], status: str = "success") -> Any:
    """Return the value of what stands between ``${{`` and ``}}``; ``status`` is that of the job so far."""
    return _Reader(source, contexts, status).whole()


def fill(template: Any, contexts: Mapping[str, Any], status: str = "success") -> str:
    """Return a text with its expressions replaced by their values."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: text(evaluate(found[1], contexts, status)), text(template))


def holds(condition: Any, contexts: Mapping[str, Any], status: str) -> bool:
    """Return whether an ``if:`` holds; where it asks for no status, it also asks for ``success()``."""
    if condition is None:
        return status == "success"
    source = re.sub(r"^\s*\$\{\{(.*)\}\}\s*$", r"\1", text(condition), flags=re.DOTALL)
    if STATUS.search(source) is None and status != "success":
        return False
    return truth(evaluate(source, contexts, status))
