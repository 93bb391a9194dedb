"""OAuth 2.0 without HTTP: grants, tokens and their lifetimes."""
