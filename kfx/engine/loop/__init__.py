"""The parts of the live loop, a module each."""
