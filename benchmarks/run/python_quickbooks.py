"""python-quickbooks: its `Invoice.all`, page by page as its README says."""

from harness import PAGE, job, reading
from intuitlib.client import AuthClient
from quickbooks import QuickBooks
from quickbooks.objects.invoice import Invoice

task = job()
QuickBooks.api_url_v3 = task["url"] + "/v3"  # the API URL is a class attribute
auth = AuthClient(
    client_id=task["client_id"],
    client_secret=task["client_secret"],
    redirect_uri="http://localhost/callback",
    environment=task["url"] + "/.well-known/openid_configuration",
    access_token=task["access_token"],
)
client = QuickBooks(auth_client=auth, refresh_token=task["refresh_token"], company_id=task["realm_id"], minorversion=75)
with reading(task["report"]) as seen:
    start = 1
    while True:
        page = Invoice.all(start_position=start, max_results=PAGE, qb=client)
        seen.add({"Id": invoice.Id} for invoice in page)
        start += len(page)
        if len(page) < PAGE:
            break
