"""Settings, deployment options and validation."""
