"""What `kfx bench` measures, a module each."""
