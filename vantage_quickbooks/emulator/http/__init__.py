"""HTTP: the server, requests and responses, the data API and the OAuth endpoints."""
