"""singer-io's tap-quickbooks, its own `main`: the stream `invoices` as Singer messages on standard output."""

import json
import sys
from pathlib import Path

import tap_quickbooks
from harness import job, reading
from tap_quickbooks import client
from tap_quickbooks.discover import do_discover

task = job()
client.PROD_ENDPOINT_BASE = task["url"]
client.TOKEN_REFRESH_URL = task["url"] + "/oauth2/v1/tokens/bearer"
names = ("client_id", "client_secret", "refresh_token", "realm_id")
config = {name: task[name] for name in names} | {"start_date": "2020-01-01T00:00:00Z", "user_agent": "benchmark"}
streams = [stream for stream in do_discover().to_dict()["streams"] if stream["tap_stream_id"] == "invoices"]
for entry in streams[0]["metadata"]:
    if not entry["breadcrumb"]:
        entry["metadata"]["selected"] = True
files = {"--config": config, "--catalog": {"streams": streams}}
sys.argv = ["tap-quickbooks"]
for option, content in files.items():
    path = Path(task["folder"]) / f"{option[2:]}.json"
    path.write_text(json.dumps(content))
    sys.argv += [option, str(path)]
with reading(task["report"]):
    tap_quickbooks.main()
