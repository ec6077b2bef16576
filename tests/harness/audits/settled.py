"""Small corpora settled as a session's data: what an audit is given."""

import numpy as np

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve

SPLITS = ["VAL", "VAL", "OOD", "OOD", "TRAIN", "TRAIN"]


LENGTHS = [12, 13, 14, 12, 11, 12]


def settle(corpus=None, context=3, **given):
    arguments = CorpusArguments(corpus=None if corpus is None else corpus.path, **given)
    return resolve(arguments, context=context, max_samples=1000, horizon=2, seed=0)


def articles_file(path, with_index=True, lengths=(12, 12, 12), scale=1.0, drop=()):
    n = sum(lengths)
    arrays = {
        "embeddings": (scale * unit(np.random.default_rng(0).standard_normal((n, 8)))).astype(np.float32),
        "article_ids": np.repeat(np.arange(len(lengths)), lengths),
        "chunk_indices": np.concatenate([np.arange(k) for k in lengths]),
    }
    kept = np.setdiff1d(np.arange(n), drop)
    arrays = {name: values[kept] for name, values in arrays.items()}
    if not with_index:
        del arrays["chunk_indices"]
    np.savez(path, **arrays)
    return {"articles_npz": path, "val_articles": "0", "ood_articles": "1"}
