"""Everything that plays on a running show: tree, history, sessions."""
