"""Domains of a training text, and what is fitted on each (`models.band_gated`).

A domain is a file that the corpus was imported from (`lvm-data import`). Where there is one file, or a corpus that does
not say, articles are dealt into `FOLDS` at random, and each stands for one: the regressions are then cross-fitted, each
right on text that it has not seen but of the same kind, and gates learn nothing of text from elsewhere.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from lvm_gates.harness.base.hashing import hash64
from lvm_gates.harness.controls.linear import cached_linear
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.windows import Windows, sample_windows
from lvm_gates.models.band_gated import BandGated, labelled

FOLDS = 3
# Windows that Gram matrices are centred and scaled by.
_SCALED_BY = 4_000
_SEED = 0


def domains_of(corpus: Corpus) -> Int[np.ndarray, " a"]:
    """(A,) the domain of each article, 0 to R - 1; only files with training articles count."""
    files = _files(corpus.meta, len(corpus.lengths))
    training = corpus.splits == "TRAIN"
    known = np.unique(files[training])
    if len(known) > 1:
        # An article of a file that is not trained on is read by nobody here.
        return np.asarray(np.searchsorted(known, files).clip(max=len(known) - 1))
    ranks = hash64(corpus.article_ids, _SEED, 0)
    folds = np.zeros(len(files), dtype=np.int64)
    # Dealt in the order of a hash, so that all folds have training articles however few there are.
    order = np.flatnonzero(training)[np.argsort(ranks[training], kind="stable")]
    folds[order] = np.arange(len(order)) % min(FOLDS, max(len(order), 1))
    return folds


def _files(meta: Mapping[str, Any], articles: int) -> Int[np.ndarray, " a"]:
    """(A,) the file each article comes from, as an importer recorded it; zeros where nobody did."""
    sources = meta.get("sources")
    nothing = np.zeros(articles, dtype=np.int64)
    if not isinstance(sources, list):
        return nothing
    counts = [source.get("articles") if isinstance(source, dict) else None for source in sources]
    known = [count for count in counts if type(count) is int and count >= 0]
    if len(known) < len(counts) or sum(known) != articles:
        return nothing
    return np.repeat(np.arange(len(known)), known)


def fit(network: BandGated, windows: Windows, domains: Int[np.ndarray, " a"]) -> None:
    """Set the buffers of a network from training windows.

    Args:
        network: fresh, of as many domains.
        windows: of TRAIN alone.
        domains: of each article of their corpus.
    """
    of = domains[windows.clusters]
    parts = [windows.take(np.flatnonzero(of == domain)) for domain in range(network.domains)]
    device = network.basis.device

    def put(buffer: torch.Tensor, values: Float[np.ndarray, "..."]) -> None:
        buffer.copy_(torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(device))

    basis, background = _principal(parts)
    put(network.basis, basis)
    put(network.climatology, background)
    for domain, part in enumerate(parts):
        linear = cached_linear([replace(part, context=network.reach)], _SEED).model
        put(network.ridge[domain], linear.weights)
        put(network.ridge_bias[domain], linear.bias)
    seen = sample_windows(windows, _SCALED_BY, _SEED)
    labels = torch.from_numpy(domains[seen.clusters]).to(device)
    with torch.no_grad():
        contexts = torch.from_numpy(seen.contexts()).to(device)
        read = labelled(contexts, labels)
        likeness = network.likeness(network.frames(read), network.picked(read)).flatten(0, 1)
        network.centre.copy_(likeness.mean(dim=0))
        # Cells of an empty band, or of what is one length in every window, stay where they are.
        network.spread.copy_(likeness.std(dim=0) + 1e-3)


def _principal(parts: list[Windows]) -> tuple[Float[np.ndarray, "d d"], Float[np.ndarray, " d"]]:
    """Principal components, the largest first, and the mean direction; every domain counts alike."""
    covariance, mean = 0.0, 0.0
    for part in parts:
        vectors = part.corpus.vectors(part.targets)
        centred = vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        covariance = covariance + (centred.T @ centred).astype(np.float64) / max(len(part), 1)
        mean = mean + vectors.mean(axis=0, dtype=np.float64)
    _, components = np.linalg.eigh(covariance)
    return np.asarray(components[:, ::-1]), np.asarray(mean / np.linalg.norm(mean))
