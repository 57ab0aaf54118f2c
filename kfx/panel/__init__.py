"""The web panel: the live picture, every knob and the state of the show, for operator and viewers.

`Panel` (in `kfx.panel.server`) serves it from a thread of its own. It may fail, be flooded or be
lied to: the show goes on without it.
"""
