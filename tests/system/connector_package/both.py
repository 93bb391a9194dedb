"""A host with two connectors, each of which brings a set of specifications: `python both.py HOW`, settings on stdin."""

import json
import sys

import pluggy
import toy_connector.hookspecs

from vantage_quickbooks import HostContext, as_node_output, hookspecs

how, settings = sys.argv[1], json.load(sys.stdin)
manager = pluggy.PluginManager("vantage")
if how == "both by hand":
    manager.add_hookspecs(toy_connector.hookspecs)
    manager.add_hookspecs(hookspecs)
elif how == "the other's, then ours":
    manager.add_hookspecs(toy_connector.hookspecs)
    hookspecs.add_hookspecs(manager)
elif how == "ours twice":
    hookspecs.add_hookspecs(manager)
    hookspecs.add_hookspecs(manager)
elif how == "the other's alone":
    manager.add_hookspecs(toy_connector.hookspecs)
manager.load_setuptools_entrypoints("vantage")
manager.check_pending()

heard, connectors = [], {}


class Host:
    """Listens to all connectors by one hook."""

    @hookspecs.hookimpl
    def vantage_audit(self, event):
        """Record what was called."""
        heard.append(event["operation"])


manager.register(Host())
manager.hook.vantage_register_connectors(register=lambda connector: connectors.setdefault(connector.id, connector))
context = HostContext.from_hooks(manager.hook)
rows = {}
for connector_id, form, action in (("quickbooks", settings, "listCustomers"), ("weather", {}, "today")):
    envelope = connectors[connector_id].connect(form, context).call(action, {})
    rows[connector_id] = len(as_node_output(envelope, action, "rows")["data"])
json.dump({"found": sorted(connectors), "rows": rows, "heard": sorted(heard)}, sys.stdout)
