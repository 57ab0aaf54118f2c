"""A preset on its way to pixels: plan, chain, knobs, and its changes while it runs."""
