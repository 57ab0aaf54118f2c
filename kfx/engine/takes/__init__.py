"""Shows and takes as they run, are recorded and come back."""
