# SPDX-License-Identifier: MIT
"""The dashboard: one HTML file that needs nothing else, neither network nor server.

The data lies in it as JSON in which every character is escaped that HTML could take for markup. The Content-Security-
Policy names the hash of the one script and the one style sheet, so that nothing else runs, whatever a name holds.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from typing import Any

from perfcore.report.series import packed
from perfcore.report.text import printable

_PARTS = ("lanes", "metrics", "trends", "use", "flames", "page")  # the last one uses the others
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def _asset(name: str) -> str:
    return files("perfcore.report").joinpath("assets", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def embedded(document: Any) -> str:
    """Return a document as JSON that can stand within a script element."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False).translate(_ESCAPES)


def _compact(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with its trends packed."""
    if "history" not in document:
        return document
    benchmarks = [one | {"trends": [packed(trend) for trend in one["trends"]]} for one in document["benchmarks"]]
    return document | {"benchmarks": benchmarks}


def render_html(document: dict[str, Any]) -> str:
    """Return the document of :func:`perfcore.report.model.describe` as a page."""
    style, script = ("".join(_asset(f"{name}.{kind}") for name in _PARTS) for kind in ("css", "js"))
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    )
    slots = {
        "policy": html.escape(policy, quote=False),
        "title": html.escape(f"perfcore: {printable(document['source'])}"),
        "style": style,
        "data": embedded(_compact(document)),
        "script": script,
    }
    # Split first: what is put in one slot is never searched for the next.
    parts = _asset("page.html").split("@@")
    return "".join(slots[part] if index % 2 else part for index, part in enumerate(parts))
