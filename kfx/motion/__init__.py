"""Facial motion effects, landmarks → landmarks; one file each, the file name is the registry."""
