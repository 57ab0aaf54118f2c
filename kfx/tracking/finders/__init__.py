"""One file per landmark finder; the file name is the registry."""
