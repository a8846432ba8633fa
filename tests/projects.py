"""Projects on git servers, pushed to and told of; and whether a service's index of one is as it must be."""

from __future__ import annotations

import subprocess
from pathlib import Path

import git_http
from repositories import git, write_files
from running import Running

from repoctx.workspace import Workspace

SECRET = "a-secret-of-webhooks"


class Project:
    """A repository on a git server, and a clone that pushes to it."""

    def __init__(self, folder: Path, server: git_http.GitServer, name: str) -> None:
        self.name, self.bare = name, server.folder / f"{name}.git"
        self.url = f"{server.url}/{name}.git"
        self.clone = folder / f"clone-{name}"
        git(folder, "init", "-q", "--bare", "-b", "main", str(self.bare))
        git(folder, "init", "-q", "-b", "main", str(self.clone))
        git(self.clone, "remote", "add", "origin", self.url)

    def push(self, files: dict[str, str], branch: str = "main", force: bool = False) -> tuple[str | None, str]:
        """Commit and push over http: the commits before and after."""
        if git(self.clone, "branch", "--show-current") != branch:
            git(self.clone, "checkout", "-q", "-B", branch)
        before = self.head(branch)
        write_files(self.clone, files)
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "-q", *(["--amend"] if force else []), "--allow-empty", "-m", f"change {len(files)}")
        subprocess.run(["git", "push", "-q", *(["-f"] if force else []), "origin", branch], cwd=self.clone, check=True,
                       capture_output=True)  # fmt: skip
        after = self.head(branch)
        assert after is not None
        return before, after

    def head(self, branch: str = "main") -> str | None:
        """The commit that the server has."""
        return git(self.bare, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}") or None


def source(number: int, version: int) -> str:
    """A module whose functions call one another."""
    return f'"""Module {number}."""\n\n\ndef step_{number}(order):\n    return apply_{version}(order)\n\n\n' + (
        f"def apply_{version}(order):\n    '''Version {version} of module {number}.'''\n    return order + {version}\n"
    )


def answers(workspace: Workspace, repository: str) -> list[str]:
    """What a workspace says about a repository, byte by byte."""
    found = workspace.search("apply an order step", repository, k=20).hits
    pack = workspace.pack("why is the order wrong in step_1?", repository, budget=6000)
    return [*map(repr, found), *workspace.graph_lines(repository), workspace.map(repository), pack.prompt]


def states(service: Running) -> dict[str, int]:
    """How many jobs are in each state; while the service is away, none."""
    answer = service.ask("GET", "/v1/jobs", params={"limit": 500})
    found = dict.fromkeys(("waiting", "running", "done", "failed", "cancelled"), 0)
    for job in answer.json()["items"] if answer else ():
        found[job["state"]] += 1
    return found


def same_as_fresh(service: Running, settings: dict[str, str], project: Project, fresh_home: Path) -> None:
    """The served index of a project is at its head, and answers as an index from nothing does."""
    shown = service.client.get(f"/v1/repositories/{project.name}").json()
    assert [(ref["ref"], ref["commit"], ref["behind"]) for ref in shown["refs"]] == [("main", project.head(), None)]
    assert shown["lag_seconds"] == 0.0
    served = Workspace({"REPOCTX_HOME": str(service.home), **settings})
    fresh = Workspace({"REPOCTX_HOME": str(fresh_home)})
    try:
        fresh.index(str(project.bare), name=project.name)
        assert answers(served, project.name) == answers(fresh, project.name)
    finally:
        served.close()
        fresh.close()
