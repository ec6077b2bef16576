"""Training recipes: one loop, one objective each."""
