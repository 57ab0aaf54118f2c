"""The one GL context and all that is drawn in it.

Textures hold display-referred RGBA as GL keeps it, bottom row first; pictures are turned over
while they are copied to and from the GPU, so shaders see ISF's bottom left origin.
"""
