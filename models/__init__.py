"""Networks that map C chunk embeddings to the next one, one architecture a module."""
