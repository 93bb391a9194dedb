"""Foreign conventions, one file each, imported only where they are asked for by name."""
