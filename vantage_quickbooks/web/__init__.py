"""
A small host in the browser: settings form, connect, run, look.

It knows of connectors what their descriptors say (docs/host.md) and what the contract promises, and nothing of
QuickBooks: any plugin of the group `vantage` shows up in it. Each file imports only from those after it:

    server               binds, prints the address, serves
    app                  which path goes where
    pages, results       what people see of connections, and of actions
    api, openapi         what programs see
    templating           draws pages
    oauth                consent, by redirect
    runs                 calls under way, and their results
    host                 the pluggy host: connectors, live connections, hooks
    store                connections, encrypted at rest
    charts               rows to chart_groups
    forms, present       schemas to fields, rows to cells
    security             who may come in
"""
