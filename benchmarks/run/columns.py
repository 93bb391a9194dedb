"""vantage-quickbooks: all invoices as NDJSON or as Arrow record batches, dropped as soon as they are there."""

from harness import job, reading

from vantage_quickbooks import QUICKBOOKS
from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.config.deployment import Deployment


def main() -> None:
    """Read all invoices in the format that the job names."""
    task = job()
    form, _, fields = task["variant"].partition(":")
    data = {"all": True} | ({"fields": fields} if fields else {})
    settings = {name: task[name] for name in ("client_id", "client_secret", "refresh_token", "realm_id")}
    connection = QUICKBOOKS.connect(
        settings,
        deployment=Deployment(api_url=task["url"], oauth_url=task["url"], token_store="memory:"),
        rate_limiter=RateLimiter(10, 10**6, 10**6),
    )
    connection._get_client()  # noqa: SLF001 -- imports what reading needs, so that it counts as start-up
    if form == "arrow":
        import pyarrow as pa  # noqa: PLC0415 -- likewise

        import vantage_quickbooks.sync.arrow  # noqa: PLC0415

        pa.array([])  # imports pandas, where it is installed
    else:
        import vantage_quickbooks.sync.ndjson  # noqa: F401, PLC0415 -- likewise
    with reading(task["report"]) as seen:
        for page in connection.stream("listInvoices", data, as_=form):
            seen.rows += page.num_rows if form == "arrow" else page.records


main()
