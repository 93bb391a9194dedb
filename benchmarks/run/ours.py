"""vantage-quickbooks: `stream`, `whole` and `bulk`, within Intuit's limits or, as the others run, without them."""

import inspect
import sys

from harness import job, reading, skip

from vantage_quickbooks import QUICKBOOKS
from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.config.schema_files import load_schema

ALL = {"all": True}


def main() -> None:
    """Read all invoices in the job's variant."""
    task = job()
    variant, limits = task["variant"].split(":")
    settings = {name: task[name] for name in ("client_id", "client_secret", "refresh_token", "realm_id")}
    connection = QUICKBOOKS.connect(
        settings,
        deployment=Deployment(api_url=task["url"], oauth_url=task["url"], token_store="memory:"),
        rate_limiter=RateLimiter(10, 10**6, 10**6) if limits == "lifted" else None,
    )
    if "all" not in load_schema("listInvoices.input.schema")["properties"]:
        skip("listInvoices does not take `all` yet")
    if variant == "bulk" and "as_" not in inspect.signature(connection.stream).parameters:
        skip("connection.stream does not take `as_` yet")
    connection._get_client()  # noqa: SLF001 -- imports what reading needs, so that it counts as start-up
    with reading(task["report"]) as seen:
        if variant == "stream":
            for page in connection.stream("listInvoices", ALL):
                seen.add(page["invoices"])
        elif variant == "whole":
            seen.add(connection.invoke("listInvoices", ALL)["invoices"])
        else:
            sys.stdout.buffer.writelines(connection.stream("listInvoices", ALL, as_="ndjson"))


main()
