"""Pushes to real git servers, told by webhooks, while processes are killed: every one that was acknowledged is indexed,
and the answers are those of a fresh index."""

from __future__ import annotations

import json
import random

import git_http
import pytest
from projects import SECRET, Project, same_as_fresh, source, states
from running import running, until

FORGES = ("github", "gitlab", "gitea", "bitbucket")


@pytest.mark.slow
def test_a_storm_of_pushes_and_kills(tmp_path, database_url):
    """Service and workers are killed at random moments: what was acknowledged is indexed in the end."""
    chance = random.Random(7)
    settings = {"REPOCTX_DATABASE_URL": database_url, "REPOCTX_CLONE_HOSTS": "127.0.0.1"}
    (tmp_path / "git").mkdir()
    with git_http.serving(tmp_path / "git") as server, running(tmp_path / "home", settings) as service:
        projects = [Project(tmp_path, server, name) for name in ("shop", "mill")]
        for project in projects:
            project.push({f"src/m{n}.py": source(n, 0) for n in range(20)})
            asked = {"url": project.url, "name": project.name, "webhook_secret": SECRET}
            assert service.client.post("/v1/repositories", json=asked).status_code == 201
        for version in range(1, 21):
            project = chance.choice(projects)
            files = {f"src/m{n}.py": source(n, version) for n in chance.sample(range(20), 3)}
            before, after = project.push(files, force=version % 7 == 0)
            service.told(chance.choice(FORGES), project.name, project.url, "main", before, after, SECRET)
            fate = chance.choice(["workers", "service", "rest", "storm", "storm"])
            if fate == "rest":
                service.idle()
            elif fate != "storm":
                until(lambda: states(service)["running"], "a job that runs")
                (service.kill_workers if fate == "workers" else service.kill)()
                if fate == "service":
                    service.start()
        service.idle()
        for project in projects:
            same_as_fresh(service, settings, project, tmp_path / "fresh")
        ended = states(service)
        assert ended["waiting"] == ended["running"] == ended["failed"] == 0
        assert ended["done"] > 4
        assert service.stop() == 0
    assert service.log.count("an attempt is lost") > 2  # some were killed in the middle of their work
    assert "Traceback" not in service.log, [line for line in service.log.splitlines() if "Traceback" in line][:1]
    assert json.loads(service.log.splitlines()[-1])["event"] == "worker ends"
