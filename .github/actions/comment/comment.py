# SPDX-License-Identifier: MIT
"""Posts the report of a pull request as one comment, and updates that comment in place.

    python comment.py FOLDER

FOLDER holds what the jobs of the pull request left: ``*/number.txt``, and of those that measured something also
``*/comment.md``. It was written by code that nobody has reviewed yet, so nothing in it is trusted: the number counts
only when that pull request's head is the commit that the run was for (``HEAD_SHA``), the text is only ever sent as a
comment's body, and its length is bounded.

Environment: ``GITHUB_TOKEN`` (with pull-requests: write), ``GITHUB_REPOSITORY``, ``GITHUB_API_URL``, ``HEAD_SHA``. Exit
codes: 0 posted, or nothing to post; 2 it could not, with one line on stderr that says why.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

MARK = "<!-- perfcore-report -->"
LONGEST = 65_000  # GitHub takes 65 536 characters
NOTHING = "### perfcore: could not judge\n\nThe job's log says why.\n"
END, CUT = "\n\n</details>", "\n\n(cut here: too long)\n"
TIMEOUT_S = 30


class CannotPostError(Exception):
    """One line that says what is wrong."""


def call(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """Call GitHub's REST API and return the decoded answer."""
    api = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    request = urllib.request.Request(  # noqa: S310 - the scheme is the runner's own
        f"{api}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}",
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise CannotPostError(f"{method} {path}: GitHub answered {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:  # URLError and time-outs are OSErrors
        raise CannotPostError(f"{method} {path}: {error}") from None


def pull_request(folder: Path) -> int | None:
    """Return the number of the pull request whose head the run was for, None when the folder names none."""
    numbers = {path.read_text(encoding="utf-8", errors="replace")[:20].strip() for path in folder.glob("*/number.txt")}
    if not numbers:
        return None
    if len(numbers) > 1 or not re.fullmatch(r"[1-9][0-9]{0,9}", number := numbers.pop()):
        raise CannotPostError("number.txt does not hold the number of one pull request")
    head = call("GET", f"pulls/{number}")["head"]["sha"]
    if head != os.environ["HEAD_SHA"]:
        raise CannotPostError(f"#{number} is at {head}, but this run was for {os.environ['HEAD_SHA']}: not posted")
    return int(number)


def cut(part: str, longest: int) -> str:
    """Return a report, or as many whole lines of it as there is room for, with what is open in them closed."""
    if len(part) <= longest:
        return part
    kept = part[: longest - len(END) - len(CUT)].rpartition("\n")[0]
    if kept.count("<details>") > kept.count("</details>"):  # perfcore report opens none within another
        kept += END
    return kept + CUT


def text(folder: Path) -> str:
    """Return the reports under the mark that the next run looks for; by their names where there are several jobs."""
    jobs = sorted(path.parent for path in folder.glob("*/number.txt"))
    parts = []
    for job in jobs:
        name, path = re.sub(r"[^\w.+ -]", "_", job.name)[:100], job / "comment.md"
        told = path.read_text(encoding="utf-8", errors="replace") if path.exists() else NOTHING
        told = told.replace(MARK, "").lstrip("\n")
        parts.append(f"## `{name}`\n\n{told}" if len(jobs) > 1 else told)
    return "\n".join([MARK, *(cut(part, LONGEST // len(parts)) for part in parts)])


def earlier(number: int) -> int | None:
    """Return the id of our comment from before, None when there is none."""
    page = 1
    while True:
        comments = call("GET", f"issues/{number}/comments?per_page=100&page={page}")
        for comment in comments:
            # Of an account that is gone there may be no user.
            by_bot = (comment["user"] or {}).get("type") == "Bot"
            if by_bot and (comment["body"] or "").startswith(MARK):
                return int(comment["id"])
        if len(comments) < 100:
            return None
        page += 1


def main(folder: Path) -> None:
    """Post, or update."""
    number = pull_request(folder)
    if number is None:
        print("nothing to post")
        return
    body = {"body": text(folder)}
    known = earlier(number)
    if known is None:
        call("POST", f"issues/{number}/comments", body)
    else:
        call("PATCH", f"issues/comments/{known}", body)
    print(f"{'updated' if known else 'posted'} the comment of #{number}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: comment.py FOLDER")
    try:
        main(Path(sys.argv[1]))
    except (CannotPostError, OSError) as error:
        print(f"comment.py: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyError as error:
        print(f"comment.py: {error} is missing (the environment, or GitHub's answer)", file=sys.stderr)
        sys.exit(2)
