"""Access tokens: who may refresh, and where token chains are stored."""
