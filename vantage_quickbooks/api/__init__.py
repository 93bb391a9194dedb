"""The HTTP client of the data API: requests, retries, rate limits."""
