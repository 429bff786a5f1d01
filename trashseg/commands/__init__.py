"""The verbs of the `trashseg` command, a module each, loaded only when called."""
