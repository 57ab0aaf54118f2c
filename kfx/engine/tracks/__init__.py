"""Tracked faces as files."""
