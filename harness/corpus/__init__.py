"""Articles and their chunks: reading, windows, splits, and what can be said of them."""
