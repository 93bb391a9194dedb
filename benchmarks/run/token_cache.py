"""The cost of `getAccessToken` while the cached token is valid: microseconds per call of `connection.invoke`."""

import timeit

from harness import job

from vantage_quickbooks import QUICKBOOKS
from vantage_quickbooks.config.deployment import Deployment

CALLS = 5000
task = job()
settings = {name: task[name] for name in ("client_id", "client_secret", "refresh_token", "realm_id")}
connection = QUICKBOOKS.connect(
    settings, deployment=Deployment(api_url=task["url"], oauth_url=task["url"], token_store="memory:")
)
connection.invoke("getAccessToken")
print(timeit.timeit(lambda: connection.invoke("getAccessToken"), number=CALLS) / CALLS * 1e6)
