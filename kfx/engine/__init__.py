"""Runs a preset over a source: the plan, the chain, the offline and the live loop."""
