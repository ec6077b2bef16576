"""Synthetic datasets: article corpora drawn from a law of `harness.worlds.parameters`, so that the optimum is known.

Planes are aligned with the axes. That loses no generality where state and noise are isotropic, and nothing that
a network or a linear map could use elsewhere: neither knows of axes.

OOD articles are those whose topic points in a direction that TRAIN and VAL never visit (`harness.worlds.articles`; in
`arrow`, two OOD chunks of different articles have a mean cosine of .128, two TRAIN chunks .103). Where a tenth of the
articles is OOD the topic is Gaussian over all splits together: the shift moves the articles and leaves the law, so one
optimum serves all.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock
from jaxtyping import Float, Int, Shaped

from lvm_gates.harness.base.cache import cache_dir
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.suggest import did_you_mean
from lvm_gates.harness.corpus.corpus import Corpus, content_fingerprint, open_corpus, write_corpus
from lvm_gates.harness.corpus.splits import SPLITS, SplitName
from lvm_gates.harness.worlds.articles import draw_article
from lvm_gates.harness.worlds.parameters import GENERATOR_VERSION, WORLDS, WorldLaw

__all__ = ["GENERATOR_VERSION", "WORLDS", "World", "WorldLaw", "default_corpus", "draw", "generate", "synthesise"]

# A linear map fails gates A and B there, whatever it is fitted to; a small network passes all five after two minutes.
DEFAULT_WORLD = "switch"
MIN_ARTICLES, MIN_DIM = 10, 8
# VAL and OOD get this many articles each where a fifth of the corpus allows it: every interval is clustered
# by article, and a bootstrap over few clusters is too narrow.
MIN_HELD_OUT = 40


class World(NamedTuple):
    """Articles of a world: TRAIN first, then VAL, then OOD.

    Attributes:
        vectors: (N, D) float32, unit norm, in reading order.
        lengths: (A,) chunks of each article.
        splits: (A,) "TRAIN", "VAL" or "OOD".
    """

    vectors: Float[np.ndarray, "n d"]
    lengths: Int[np.ndarray, " a"]
    splits: Shaped[np.ndarray, " a"]


def generate(world: str, *, articles: int | None = None, dim: int | None = None, seed: int = 0) -> World:
    """Draw a world. Before any leak, article i of a split depends on seed, split and i alone.

    Args:
        world: a key of `WORLDS`.
        articles: total number, about 80 % TRAIN, 10 % VAL, 10 % OOD; default the world's own.
        dim: dimension D, even; default the world's own.
        seed: the same seed gives the same bytes.

    Raises:
        UserError: an unknown world, too few articles, an odd or small dimension, a negative seed.
    """
    law, articles, dim = _resolve(world, articles, dim, seed)
    return draw(law, articles=articles, dim=dim, seed=seed)


def draw(law: WorldLaw, *, articles: int, dim: int, seed: int = 0) -> World:
    """Draw articles of any law, one that has no name included; see `generate`."""
    held_out = max(round(articles / 10), min(MIN_HELD_OUT, articles // 5))
    counts: dict[SplitName, int] = {"TRAIN": articles - 2 * held_out, "VAL": held_out, "OOD": held_out}
    mean = law.mean(dim, seed)
    drawn = {split: [draw_article(law, mean, split, i, seed) for i in range(n)] for split, n in counts.items()}
    if law.transform == "leak":
        copies = max(1, held_out // 4)
        drawn["VAL"][:copies] = drawn["TRAIN"][:copies]
    parts = [article for split in SPLITS for article in drawn[split]]
    splits = np.repeat(np.array(SPLITS), [counts[split] for split in SPLITS])
    return World(np.concatenate(parts), np.array([len(part) for part in parts]), splits)


def synthesise(
    world: str, folder: Path, *, articles: int | None = None, dim: int | None = None, seed: int = 0
) -> Corpus:
    """Draw a world and write it as a corpus folder that records its law.

    Raises:
        UserError: as `generate`.
    """
    law, articles, dim = _resolve(world, articles, dim, seed)
    drawn = generate(world, articles=articles, dim=dim, seed=seed)
    meta = {
        "kind": "synthetic",
        "world": world,
        "seed": seed,
        "encoder": "none (synthetic)",
        "licence": "CC0-1.0",
        "how": f"lvm-data synth --world {world} --articles {articles} --dim {dim} --seed {seed} --out DIR",
        "generator_version": GENERATOR_VERSION,
        "law": dataclasses.asdict(law),
    }
    return write_corpus(folder, drawn.vectors, drawn.lengths, splits=drawn.splits, meta=meta)


def default_corpus() -> Corpus:
    """The corpus used where none is named: the `switch` world, drawn once and kept in the user's cache.

    ``LVM_GATES_CACHE`` names another folder. Safe when several processes ask at once: one draws, the others
    wait.

    Raises:
        UserError: the cache folder cannot be written.
    """
    world = DEFAULT_WORLD
    key = json.dumps([GENERATOR_VERSION, world, dataclasses.asdict(WORLDS[world])])
    root = cache_dir()
    folder = root / f"{world}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    # corpus.json is written last: a folder that has it is complete; one left by a killed process is redrawn.
    if (found := _intact(folder)) is None:
        try:
            root.mkdir(parents=True, exist_ok=True)
            with FileLock(root / f".{folder.name}.lock"):
                found = _intact(folder) or synthesise(world, folder)
        except OSError as error:
            raise UserError(
                f"{root}: the default corpus cannot be written there ({error}); set LVM_GATES_CACHE to a "
                "folder that can be written."
            ) from error
    return found


def _intact(folder: Path) -> Corpus | None:
    """A corpus whose content is what it says; None for one that is missing, cut short or damaged, to be drawn again."""
    try:
        corpus = open_corpus(folder)
        return corpus if corpus.meta.get("fingerprint") == content_fingerprint(corpus) else None
    except UserError:
        return None


def _resolve(world: str, articles: int | None, dim: int | None, seed: int) -> tuple[WorldLaw, int, int]:
    """The law of a world and the sizes to draw, checked."""
    if world not in WORLDS:
        raise UserError(f"--world {world}: no such world; {did_you_mean(world, WORLDS)}.")
    law = WORLDS[world]
    articles = law.articles if articles is None else articles
    dim = law.dim if dim is None else dim
    if articles < MIN_ARTICLES:
        raise UserError(f"--articles {articles}: too few to fill TRAIN, VAL and OOD; ask for at least {MIN_ARTICLES}.")
    least = max(MIN_DIM, law.least_dim)
    if dim < least or dim % 2:
        raise UserError(
            f"--dim {dim}: world {world} is made of planes, so its dimension is even; ask for an even number of at "
            f"least {least}."
        )
    if seed < 0:
        raise UserError(f"--seed {seed}: a seed is not negative; give 0 or more.")
    return law, articles, dim
