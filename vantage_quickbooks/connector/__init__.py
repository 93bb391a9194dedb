"""The connector that the plugin registers, and its connections."""
