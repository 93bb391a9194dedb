"""One module per command, with the command as `command`. `app.COMMANDS` lists them."""
