"""airbyte-source-quickbooks: its manifest and its `read` command, the stream `invoices` in full refresh."""

import json
from importlib.resources import files
from pathlib import Path

import yaml
from airbyte_cdk.entrypoint import launch
from airbyte_cdk.sources.declarative.manifest_declarative_source import ManifestDeclarativeSource
from harness import job, reading

task = job()
manifest = (files("source_quickbooks") / "manifest.yaml").read_text()
for host in ("https://quickbooks.api.intuit.com", "https://oauth.platform.intuit.com"):
    manifest = manifest.replace(host, task["url"])
names = ("client_id", "client_secret", "refresh_token", "access_token", "realm_id")
config = {name: task[name] for name in names} | {
    "token_expiry_date": "2099-01-01T00:00:00Z",
    "start_date": task["oldest"],
    "sandbox": False,
}
stream = {"name": "invoices", "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]}
catalog = {"streams": [{"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "append"}]}
arguments = ["read"]
for option, content in {"--config": config, "--catalog": catalog}.items():
    path = Path(task["folder"]) / f"{option[2:]}.json"
    path.write_text(json.dumps(content))
    arguments += [option, str(path)]
source = ManifestDeclarativeSource(source_config=yaml.safe_load(manifest))
with reading(task["report"]):
    launch(source, arguments)
