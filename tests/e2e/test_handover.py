"""What has become urgent while it waits in the queue is put in its place there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from repoctx.serve.handover import queue_url
from repoctx.store import connect, jobs, tables
from repoctx.store.jobs import Asked
from repoctx.workspace import Workspace

# What the one who leads does, in a queue that nobody asks: three turns, and a push after the first.
LEADS = """
import json, sys, time
from dbos import DBOS
from repoctx.serve import handover
from repoctx.serve.handover import INDEX, Handed
from repoctx.store import jobs
from repoctx.workspace import Workspace

workspace = Workspace()
DBOS(config={"name": "repoctx", "executor_id": "w1", "application_version": "1", "use_listen_notify": False,
             "log_level": "ERROR", "system_database_url": handover.queue_url(workspace)})

@DBOS.workflow(name="index")
def run(identity: str, number: int) -> str:
    return "done"

DBOS.launch()
handed = {INDEX: Handed()}
said = []
for turn in range(3):
    handover.turn(workspace, {INDEX: run}, handed, True)
    found = DBOS.list_workflows(load_input=False, load_output=False)
    said.append(sorted((one.workflow_id, one.status, one.priority) for one in found))
    if turn == 0:
        with workspace.engine.begin() as connection:
            jobs.submit(connection, int(sys.argv[1]), "main", "push", now=time.time())
handover.REMEMBERED = -100.0
handover.prune_queue()
said.append(sorted(one.workflow_id for one in DBOS.list_workflows(load_input=False, load_output=False)))
print(json.dumps(said), flush=True)
DBOS.destroy()
"""


def test_a_push_that_joins_a_job_in_the_queue_goes_before_the_others(tmp_path: Path) -> None:
    """The attempt that waits there as bulk is taken out, and the next one put in, as urgent as a push."""
    home = tmp_path / "home"
    engine = connect.connect(f"sqlite:///{home / 'repoctx.db'}")
    made = []
    with engine.begin() as connection:
        for name in ("shop", "desk"):
            values = {"name": name, "location": f"/srv/{name}", "default_ref": "main"}
            new = tables.repositories.insert().values(values).returning(tables.repositories.c.id)
            identity = connection.execute(new).scalar_one()
            asked = {(identity, "main"): Asked("upgrade", 1, None)}
            # As if it were asked for only in some hours: nothing has waited for long.
            made.append(jobs.submit_all(connection, asked, 4e9 + identity)[identity, "main"])
        connection.execute(tables.jobs.update().values(due_at=100.0))
    engine.dispose()
    first, second = made
    environment = {**os.environ, "REPOCTX_HOME": str(home), "REPOCTX_DATABASE_URL": ""}
    command = [sys.executable, "-P", "-c", LEADS, str(identity)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    before, during, after, left = json.loads(done.stdout)
    others = [[f"{first}-1", "ENQUEUED", 3], [f"{second}-1", "CANCELLED", 3]]
    assert before == [others[0], [f"{second}-1", "ENQUEUED", 3]]
    assert during == others
    assert after == [*others, [f"{second}-2", "ENQUEUED", 1]]
    assert left == [f"{first}-1", f"{second}-2"]  # what was taken out is forgotten in time


def test_homes_that_share_a_database_share_its_queue(tmp_path: Path) -> None:
    """However its file is named: of two queues each would hand every job to a worker. Another database has another."""
    (tmp_path / "link").symlink_to(tmp_path)
    found = []
    for home, file in (("a", "x.db"), ("b", "link/x.db"), ("b", "y.db")):
        url = f"sqlite:///{tmp_path / file}"
        workspace = Workspace({"REPOCTX_HOME": str(tmp_path / home), "REPOCTX_DATABASE_URL": url})
        found.append(queue_url(workspace))
        workspace.close()
    folders = [f"sqlite:///{tmp_path.resolve()}/{name}.locks/queue.db" for name in ("x.db", "x.db", "y.db")]
    assert found == folders
    assert (tmp_path / "x.db.locks").is_dir()
