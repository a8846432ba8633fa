"""How is the service doing? What Prometheus reads: counted here by each process, or looked up in the database."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from repoctx.store import jobs, snapshots, tasks, workers
from repoctx.store.connect import errors

if TYPE_CHECKING:
    import sqlalchemy as sa

_FAST = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)

REQUESTS = Counter("repoctx_requests", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram("repoctx_request_seconds", "Time to answer a request.", ["method", "route"], buckets=_FAST)
QUERY_SECONDS = Histogram("repoctx_query_seconds", "Time of a search or a pack.", ["kind"], buckets=_FAST)
PACK_TOKENS = Counter("repoctx_pack_tokens", "Tokens of the prompts that were packed.", ["model"])
DELIVERIES = Counter("repoctx_webhook_deliveries", "Deliveries of webhooks.", ["forge", "outcome"])
JOBS = Counter("repoctx_jobs_run", "Attempts of index jobs that ended.", ["outcome"])
JOB_SECONDS = Histogram("repoctx_job_seconds", "Time an attempt of a job took.",
                        buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200))  # fmt: skip
LAG_SECONDS = Histogram("repoctx_push_to_searchable_seconds", "From a push to its index.",
                        buckets=(0.5, 1, 2, 3, 5, 10, 30, 60, 300, 1800, 7200))  # fmt: skip
TASKS = Counter("repoctx_tasks_run", "Attempts of tasks that ended.", ["outcome"])
TASK_TOKENS = Counter("repoctx_task_tokens", "Tokens that finished tasks used, as servers counted them.", ["kind"])
WARM_HITS = Counter("repoctx_warm_snapshots", "Questions by whether their snapshot was in memory.", ["found"])
WARM = Gauge("repoctx_warm_snapshots_held", "Snapshots in memory.", multiprocess_mode="livesum")


def opened(found: bool, held: int) -> None:
    """Count a snapshot that was asked for: whether it was in memory, and how many are now."""
    WARM_HITS.labels("yes" if found else "no").inc()
    WARM.set(held)


class _Known:
    """What the database knows, looked up when it is asked for."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """The jobs and tasks by state, the lag of each repository and what of it failed, the workers."""
        now = time.time()
        with errors(self._engine), self._engine.connect() as connection:
            counts = jobs.counts(connection)
            task_counts = tasks.counts(connection)
            waiting = jobs.oldest_open(connection)
            failed = jobs.failed_refs(connection)
            alive = len(workers.every(connection))
            repositories = len(snapshots.all_repositories(connection))
        for name, what, found in (("jobs", "Jobs", counts), ("tasks", "Tasks", task_counts)):
            by_state = GaugeMetricFamily(f"repoctx_{name}", f"{what} by state.", labels=["state"])
            for state, count in found.items():
                by_state.add_metric([state], count)
            yield by_state
        lag = GaugeMetricFamily(
            "repoctx_index_lag_seconds", "Age of the oldest push that is not indexed.", labels=["repository"]
        )
        for name, since in waiting.items():
            lag.add_metric([name], max(0.0, now - since))
        yield lag
        refs = GaugeMetricFamily(
            "repoctx_failed_refs", "Refs whose newest index job failed, and that are not indexed since.",
            labels=["repository"],
        )  # fmt: skip
        for name, count in failed.items():
            refs.add_metric([name], count)
        yield refs
        yield GaugeMetricFamily("repoctx_workers", "Workers that are known.", value=alive)
        yield GaugeMetricFamily("repoctx_repositories", "Repositories that are known.", value=repositories)


def text(engine: sa.Engine) -> bytes:
    """All metrics as Prometheus reads them, those of all processes of this server. Raises StorageError."""
    known = CollectorRegistry()
    collector: Any = _Known(engine)
    known.register(collector)
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together) + generate_latest(known)
    return generate_latest() + generate_latest(known)
