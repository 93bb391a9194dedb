"""Bundles as futures of Dask, on the processes of a cluster of this machine."""

import functools

from distributed import Client, LocalCluster, as_completed
from scale_engine import Report, job, merge


def main() -> None:
    """Run the job."""
    task = job()
    one_thread = {"threads_per_worker": 1, "processes": True}
    with (
        LocalCluster(n_workers=task.slots, dashboard_address=None, **one_thread) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(task.slots)
        report = Report(task)
        parts = report.bundles()
        futures = client.map(functools.partial(task.what().bundle, threads=task.threads), parts, pure=False, retries=0)
        sums = merge(found for _, found in as_completed(futures, with_results=True))
        report.done()
        report.write(sums, len(parts))


if __name__ == "__main__":
    main()
