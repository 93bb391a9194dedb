"""The web UI: connect companies, run actions, look at the results.

It knows connectors by their descriptors (docs/host.md) and by the contract, and nothing of QuickBooks: any plugin of
the entry-point group `vantage` appears in it. Each module imports only from those below it:

    server                               sockets, timeouts, logging
    app                                  routes
    connection_pages, action_pages, result_pages
    view                                 what all pages share
    api, openapi                         the HTTP API
    templating                           rendering
    oauth                                the authorization code flow
    runs                                 running calls, and their results
    lookups                              dynamic choices of a field
    failures                             exceptions to errors
    host                                 the pluggy host: connectors, live connections, hooks
    download                             results as CSV and JSON files
    rows                                 the rows of results, on disk
    shared                               connections that other programs use, too
    store                                the web UI's own connections, encrypted at rest
    charts                               rows to charts
    menu, modes, forms, formatting       descriptor to menu, modes and fields; rows to cells
    security                             access control
"""
