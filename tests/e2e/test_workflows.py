# SPDX-License-Identifier: MIT
"""The GitHub workflows and the action: their schema, what GitHub advises, and the comment, posted to a loopback API."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
COMMENT = ROOT / ".github/actions/comment"
HEAD = "a" * 40

pytest.importorskip("check_jsonschema")
pytest.importorskip("ruamel.yaml")
sys.path.insert(0, str(ROOT / "tests/outside"))
import workflow  # noqa: E402
from expressions import fill  # noqa: E402


def load(path: Path) -> Any:
    yaml = pytest.importorskip("ruamel.yaml")
    return yaml.YAML(typ="safe").load(path)


def steps(document: Any) -> list[dict[str, Any]]:
    if "runs" in document:
        return list(document["runs"]["steps"])
    return [step for job in document["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize(
    ("schema", "files"),
    [("vendor.github-workflows", WORKFLOWS), ("vendor.github-actions", ACTIONS)],
    ids=["workflows", "actions"],
)
def test_schema(schema: str, files: list[Path]) -> None:
    check_schema(schema, files)


def check_schema(schema: str, files: list[Path]) -> None:
    command = [sys.executable, "-P", "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: path.relative_to(ROOT / ".github").as_posix())
def test_what_github_advises(path: Path) -> None:
    document = load(path)
    for step in steps(document):
        used = step.get("uses", "./")
        assert used.startswith("./") or re.search(r"@[0-9a-f]{40}$", used), f"{used}: not pinned to a commit"
        if used.startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, "the token stays readable for the code under test"
        script = step.get("run", "")
        assert not re.search(r"\$\{\{\s*(github\.event|github\.head_ref|inputs|secrets)", script), (
            f"an event's text would become part of a script: {script}"
        )
        checked = subprocess.run(["bash", "-n"], input=re.sub(r"\$\{\{.*?\}\}", "x", script), text=True, check=False)
        assert checked.returncode == 0, script
    if "jobs" in document:
        assert document["permissions"] == {"contents": "read"}
        for job in document["jobs"].values():
            assert "timeout-minutes" in job


def test_the_guide_s_workflows_work_together(tmp_path: Path) -> None:
    """The second is started by the first's name, and both take our actions as they are."""
    text = (ROOT / ".github/guide/ci.md").read_text(encoding="utf-8")
    found = dict(re.findall(r"```yaml\n# \.github/workflows/(\S+)\n(.*?)```", text, re.DOTALL))
    assert list(found) == ["performance.yml", "performance-comment.yml"]
    for name, body in found.items():
        (tmp_path / name).write_text(body)
    check_schema("vendor.github-workflows", [tmp_path / name for name in found])
    first, second = (load(tmp_path / name) for name in found)
    assert second["on"]["workflow_run"]["workflows"] == [first["name"]]
    assert not any("checkout" in step.get("uses", "") for step in steps(second)), (
        "no code of the user's has a right to write"
    )
    ours = [
        step for document in (first, second) for step in steps(document) if step["uses"].startswith("OWNER/perfcore/")
    ]
    assert len(ours) == 2
    for step in ours:
        action = load(ROOT / step["uses"].removeprefix("OWNER/perfcore/").partition("@")[0] / "action.yml")
        assert step.get("with", {}).keys() <= action.get("inputs", {}).keys()


def test_secrets_stay_with_main() -> None:
    """A pull request's code runs in `performance`: a step that sees a secret is for main alone."""
    for path in WORKFLOWS:
        for step in steps(load(path)):
            if "secrets." in json.dumps(step):
                assert "refs/heads/main" in step["if"]
                assert "pull_request" in step["if"]


def test_no_push_gives_way_to_the_next() -> None:
    """GitHub keeps one waiting run of a group: pushes to a branch have one each, those to a pull request have one."""
    found = []
    for path in WORKFLOWS:
        document = load(path)
        triggers, group = document["on"], document.get("concurrency", {}).get("group")
        if group is None or "push" not in triggers or set(triggers["push"] or ()) == {"tags"}:
            continue

        def of(event: str, sha: str, group: str = group) -> str:
            return fill(group, {"github": {"event_name": event, "sha": sha, "ref": "refs/heads/main"}})

        assert of("push", "1") != of("push", "2"), path.name
        assert of("pull_request", "1") == of("pull_request", "2"), path.name
        found.append(path.name)
    assert found == ["ci.yml", "performance.yml"]


# --- the comment -------------------------------------------------------------------------------------------------


class Api(ThreadingHTTPServer):
    """As much of GitHub's REST API as the comment touches."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.comments: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.broken = self.silent = False
        self.head, self.token = HEAD, "secret"


class Handler(BaseHTTPRequestHandler):
    server: Api

    def answer(self, document: Any, status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_call(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        sent = json.loads(self.rfile.read(size)) if size else None
        self.server.calls.append(f"{self.command} {self.path}")
        assert self.headers["Authorization"] == f"Bearer {self.server.token}"
        if self.server.silent:
            self.close_connection = True
        elif self.server.broken:
            self.answer({}, 503)
        elif self.path == "/repos/o/r/pulls/7":
            self.answer({"head": {"sha": self.server.head}})
        elif self.command == "GET":
            page = int(re.search(r"&page=(\d+)", self.path)[1])  # type: ignore[index]
            self.answer(self.server.comments[100 * (page - 1) : 100 * page])
        elif self.command == "POST":
            made = {"id": len(self.server.comments) + 1, "user": {"type": "Bot"}, "body": sent["body"]}
            self.server.comments.append(made)
            self.answer(made, 201)
        else:
            known = int(self.path.rsplit("/", 1)[1])
            self.server.comments[known - 1]["body"] = sent["body"]
            self.answer({})

    do_GET = do_POST = do_PATCH = handle_call

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def post(folder: Path, api: Api, head: str = HEAD) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "GITHUB_API_URL": f"http://127.0.0.1:{api.server_port}",
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_TOKEN": "secret",
        "HEAD_SHA": head,
        "no_proxy": "127.0.0.1",
    }
    command = [sys.executable, "-P", str(COMMENT / "comment.py"), str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    for version in ("3.11", "3.12"):
        folder = tmp_path / f"perfcore-{version}"
        folder.mkdir()
        (folder / "number.txt").write_text("7\n")
        (folder / "comment.md").write_text(f"## Python {version}: no regression\n")
    return tmp_path


def test_one_comment_updated_in_place(api: Api, reports: Path) -> None:
    stranger = {"user": {"type": "User"}, "body": "<!-- perfcore-report --> mine"}
    api.comments = [{"id": index + 1, **stranger} for index in range(130)]
    api.comments[7] = {"id": 8, "user": None, "body": None}  # of an account that is gone
    assert post(reports, api).stdout == "posted the comment of #7\n"
    assert len(api.comments) == 131
    assert "Python 3.11: no" in api.comments[-1]["body"]
    assert "Python 3.12: no" in api.comments[-1]["body"]
    (reports / "perfcore-3.12/comment.md").write_text("## Python 3.12: slower\n")
    assert post(reports, api).stdout == "updated the comment of #7\n"
    assert len(api.comments) == 131
    assert "Python 3.12: slower" in api.comments[-1]["body"]


def test_what_was_said_of_an_earlier_commit_does_not_stay(api: Api, reports: Path) -> None:
    """Of a commit that does not build there is no report; the comment does not go on with that of the one before."""
    shutil.rmtree(reports / "perfcore-3.11")
    assert post(reports, api).returncode == 0
    assert "no regression" in api.comments[0]["body"]
    (reports / "perfcore-3.12/comment.md").unlink()
    assert post(reports, api).stdout == "updated the comment of #7\n"
    assert api.comments[0]["body"] == (
        "<!-- perfcore-report -->\n### perfcore: could not judge\n\nThe job's log says why.\n"
    )


def test_a_long_report_leaves_the_next_one_whole(api: Api, reports: Path) -> None:
    """Each has its share and its name; what is too long ends with a whole line, and swallows nothing."""
    fold = "<details><summary>5000 within the limits</summary>\n\n" + "| ok | <code>test_x</code> |\n" * 5000
    (reports / "perfcore-3.11/comment.md").write_text(f"# slow\n\n{fold}\n</details>\n\n<sub>evidence</sub>\n")
    (reports / "perfcore-3.12").rename(reports / "perfcore-`@all` <b>")
    assert post(reports, api).returncode == 0
    body = api.comments[0]["body"]
    assert len(body) < 65_536
    long, _, rest = body.partition("\n## `perfcore-__all_ _b_`\n\n")
    assert long.startswith("<!-- perfcore-report -->\n## `perfcore-3.11`\n\n# slow\n")
    assert long.endswith("| ok | <code>test_x</code> |\n\n</details>\n\n(cut here: too long)\n")
    assert len(long) > 32_000
    assert rest == "## Python 3.12: no regression\n"
    (reports / "perfcore-3.11/comment.md").unlink()
    assert post(reports, api).returncode == 0
    none = "## `perfcore-3.11`\n\n### perfcore: could not judge\n\nThe job's log says why.\n"
    assert api.comments[0]["body"] == f"<!-- perfcore-report -->\n{none}\n## `perfcore-__all_ _b_`\n\n{rest}"
    shutil.rmtree(reports / "perfcore-3.11")
    assert post(reports, api).returncode == 0
    assert api.comments[0]["body"] == "<!-- perfcore-report -->\n## Python 3.12: no regression\n", "one needs no name"


def test_the_folder_is_not_trusted(api: Api, reports: Path) -> None:
    done = post(reports, api, head="b" * 40)
    assert (done.returncode, done.stderr) == (
        2,
        f"comment.py: #7 is at {HEAD}, but this run was for {'b' * 40}: not posted\n",
    )
    for number in (b"7/../../../user", b"\xff\x00"):
        (reports / "perfcore-3.12/number.txt").write_bytes(number)
        done = post(reports, api)
        assert done.returncode == 2
        assert done.stderr == "comment.py: number.txt does not hold the number of one pull request\n"
    for folder in reports.iterdir():
        (folder / "number.txt").write_text("7")
        (folder / "comment.md").write_text("é<!-- perfcore-report -->" * 10_000)
    assert post(reports, api).returncode == 0
    assert len(api.comments) == 1
    assert len(api.comments[0]["body"]) < 65_536
    assert api.comments[0]["body"].count("<!-- perfcore-report -->") == 1


def test_nothing_to_post_and_a_broken_api(api: Api, reports: Path, tmp_path: Path) -> None:
    (empty := tmp_path / "empty").mkdir()
    assert post(empty, api).stdout == "nothing to post\n"
    assert api.calls == []
    api.broken = True
    done = post(reports, api)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "comment.py: GET pulls/7: GitHub answered 503 Service Unavailable\n"
    api.silent = True
    done = post(reports, api)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "comment.py: GET pulls/7: Remote end closed connection without response\n"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_comment_from_the_other_workflow_s_artifacts(api: Api, reports: Path, tmp_path: Path) -> None:
    """performance-comment.yml, step by step, after `performance` has left its artifacts."""
    folder, shared = tmp_path / "repository", tmp_path / "shared"
    shutil.copytree(COMMENT, folder / ".github/actions/comment")
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    for words in (
        "init --quiet --initial-branch=main",
        "add --all",
        "commit --quiet -m one",
        "commit -qm two --allow-empty",
    ):
        subprocess.run(["git", *who, *words.split()], cwd=folder, check=True)
    api.head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=folder, text=True).strip()
    api.token = "no-token"  # noqa: S105 - what stands for GitHub's
    for version in ("3.11", "3.12"):  # named by action.yml
        shutil.copytree(reports / f"perfcore-{version}", shared / f"artifacts/perfcore-{version}")
    (shared / "artifacts/results-3.12").mkdir()
    flow = str(ROOT / ".github/workflows/performance-comment.yml")
    arguments = [
        "--event",
        "workflow_run",
        "--source",
        str(folder),
        "--shared",
        str(shared),
        "--work",
        str(tmp_path / "work"),
    ]
    for variable in (f"GITHUB_API_URL=http://127.0.0.1:{api.server_port}", "GITHUB_REPOSITORY=o/r"):
        arguments += ["--env", variable]
    assert workflow.main([flow, *arguments]) == 0
    assert "Python 3.11: no" in api.comments[0]["body"]
    assert "Python 3.12: no" in api.comments[0]["body"]
