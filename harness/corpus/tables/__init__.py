"""Files in which a row is a chunk or an article: Parquet, Arrow, JSON lines, bare matrices, FAISS indexes."""
