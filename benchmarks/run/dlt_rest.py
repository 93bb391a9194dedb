"""dlt's rest_api source with a paginator for Intuit's statements: `read` alone, or `load` to JSON lines in a folder."""

from typing import Any

import dlt
from dlt.sources.helpers.requests import Request, Response
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from dlt.sources.rest_api import rest_api_source
from harness import PAGE, job, reading

task = job()


class Statements(BasePaginator):
    """Increases the position in the statement, which is QuickBooks' only way of paging."""

    def __init__(self) -> None:
        super().__init__()
        self._start = 1

    def init_request(self, request: Request) -> None:
        """Request the first page."""
        self.update_request(request)

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:  # noqa: ARG002 -- dlt's signature
        """Continue after this page, if it was full."""
        self._start += PAGE
        self._has_next_page = len(data or ()) == PAGE

    def update_request(self, request: Request) -> None:
        """Request the next page."""
        request.params = (request.params or {}) | {
            "query": f"SELECT * FROM Invoice STARTPOSITION {self._start} MAXRESULTS {PAGE}"  # noqa: S608 -- numbers alone
        }


source = rest_api_source(
    {
        "client": {
            "base_url": task["url"],
            "headers": {"Accept": "application/json"},
            "auth": {"type": "bearer", "token": task["access_token"]},
            "paginator": Statements(),
        },
        "resources": [
            {
                "name": "invoices",
                "endpoint": {
                    "path": f"v3/company/{task['realm_id']}/query",
                    "params": {"minorversion": 75},
                    "data_selector": "QueryResponse.Invoice",
                },
            }
        ],
    }
)
with reading(task["report"]) as seen:
    if task["variant"] == "read":
        seen.add(source.resources["invoices"])
    else:
        pipeline = dlt.pipeline(
            "benchmark",
            pipelines_dir=task["folder"] + "/pipelines",
            destination=dlt.destinations.filesystem("file://" + task["folder"] + "/loaded"),
            dataset_name="quickbooks",
        )
        pipeline.run(source, loader_file_format="jsonl")
