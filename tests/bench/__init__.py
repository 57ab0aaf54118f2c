"""Costs of kfx, each beside a bare baseline measured in the same run."""
