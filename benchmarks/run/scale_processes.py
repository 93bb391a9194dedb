"""The connector's own processes, as `sync --all --workers N` uses them."""

from scale_engine import Report, job, merge

from vantage_quickbooks import open_registry
from vantage_quickbooks.connector.processes import run_in_processes


def main() -> None:
    """Run the job."""
    task = job()
    report = Report(task)  # the processes are started with the first company
    found = run_in_processes(open_registry, task.what().company, processes=task.slots, workers=task.threads)
    report.done()
    failed = [run for run in found.runs if run.error]
    if failed:
        raise RuntimeError(f"{len(failed)} companies failed; {failed[0].id}: {failed[0].error}")
    report.write(merge(run.result["sums"] for run in found.runs), len(found.runs))


if __name__ == "__main__":
    main()
