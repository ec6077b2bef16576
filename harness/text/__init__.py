"""From text to a corpus: sources of articles, their chunks, and the embeddings of those, made in resumable shards.

Nothing else in `harness` imports this package. Its libraries are the extra ``[text]`` and are imported inside the
functions that need them.
"""
