"""Synthetic worlds: article corpora drawn from a law of `harness.laws`, so that the optimum is known.

State and noise are isotropic, so that planes aligned with the axes lose no generality.

Two thirds of a topic are isotropic; the rest, its *subject*, lies in plane 0. OOD articles are those whose
subject has its phase in a sector that TRAIN and VAL never visit (in `arrow`, two OOD chunks of different
articles have a mean cosine of .128, two TRAIN chunks .103). Where a tenth of the articles is OOD the topic is
Gaussian over all splits together: the shift moves the articles and leaves the law, so one optimum serves all.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock
from jaxtyping import Float, Int, Shaped
from scipy.signal import lfilter

from harness.cache import cache_dir
from harness.corpus import SPLITS, Corpus, SplitName, open_corpus, write_corpus
from harness.errors import UserError
from harness.laws import GENERATOR_VERSION, WORLDS, WorldLaw
from harness.suggest import did_you_mean

__all__ = ["GENERATOR_VERSION", "WORLDS", "World", "WorldLaw", "default_corpus", "generate", "synthesise"]

# Phases, in turns, that the subjects of OOD articles occupy. A tenth, since OOD is a tenth of the articles.
OOD_SECTOR = 0.1
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
    held_out = max(round(articles / 10), min(MIN_HELD_OUT, articles // 5))
    counts: dict[SplitName, int] = {"TRAIN": articles - 2 * held_out, "VAL": held_out, "OOD": held_out}
    mean = law.mean(dim, seed)
    drawn = {split: [_article(law, mean, split, i, seed) for i in range(n)] for split, n in counts.items()}
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
    """The corpus used where none is named: the `arrow` world, drawn once and kept in the user's cache.

    ``LVM_GATES_CACHE`` names another folder. Safe when several processes ask at once: one draws, the others
    wait.

    Raises:
        UserError: the cache folder cannot be written.
    """
    world = "arrow"
    key = json.dumps([GENERATOR_VERSION, world, dataclasses.asdict(WORLDS[world])])
    root = cache_dir()
    folder = root / f"{world}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    # corpus.json is written last: a folder that has it is complete; one left by a killed process is redrawn.
    if not (folder / "corpus.json").is_file():
        try:
            root.mkdir(parents=True, exist_ok=True)
            with FileLock(root / f".{folder.name}.lock"):
                if not (folder / "corpus.json").is_file():
                    synthesise(world, folder)
        except OSError as error:
            raise UserError(
                f"{root}: the default corpus cannot be written there ({error}); set LVM_GATES_CACHE to a "
                "folder that can be written."
            ) from error
    return open_corpus(folder)


def _article(
    law: WorldLaw, mean: Float[np.ndarray, " d"], split: SplitName, index: int, seed: int
) -> Float[np.ndarray, "n d"]:
    """One article, (n, D) float32, drawn from a stream of its own."""
    dim = len(mean)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), index)))
    length = int(rng.integers(law.lengths[0], law.lengths[1] + 1))

    topic = np.sqrt(law.beta * (1 - law.subject) / dim) * rng.standard_normal(dim)
    # A Gaussian in the plane is a Rayleigh radius at a uniform phase: restricting the phase keeps the radius.
    radius = np.sqrt(law.beta * law.subject / 2) * rng.rayleigh()
    phase = 2 * np.pi * (rng.uniform(0, OOD_SECTOR) if split == "OOD" else rng.uniform(OOD_SECTOR, 1))
    topic[:2] += radius * np.array([np.cos(phase), np.sin(phase)])

    own = np.sqrt(law.nu / dim) * rng.standard_normal((length, dim))
    state = np.zeros((length, dim))
    for share, rho in law.components:
        noise = np.sqrt(share / dim) * rng.standard_normal((length, dim))
        noise[1:] *= np.sqrt(1 - rho**2)  # the first chunk is drawn from the stationary law
        state += lfilter([1.0], [1.0, -rho], noise, axis=0)
    if law.angles != (0.0, 0.0):
        # s_t = R^t u_t with u_t = rho u_t-1 + w: the same law, as isotropic noise has no direction to turn.
        turned = np.exp(1j * np.arange(length)[:, None] * law.turns(dim))
        state = (state.view(np.complex128) * turned).view(np.float64)

    chunks = mean + topic + state + own
    chunks /= np.linalg.norm(chunks, axis=1, keepdims=True)
    if law.transform == "reverse":
        chunks = chunks[::-1]
    elif law.transform == "shuffle":
        chunks = rng.permutation(chunks, axis=0)
    rounded: np.ndarray = chunks.astype(np.float32)
    return rounded


def _resolve(world: str, articles: int | None, dim: int | None, seed: int) -> tuple[WorldLaw, int, int]:
    """The law of a world and the sizes to draw, checked."""
    if world not in WORLDS:
        raise UserError(f"--world {world}: no such world; {did_you_mean(world, WORLDS)}.")
    law = WORLDS[world]
    articles = law.articles if articles is None else articles
    dim = law.dim if dim is None else dim
    if articles < MIN_ARTICLES:
        raise UserError(f"--articles {articles}: too few to fill TRAIN, VAL and OOD; ask for at least {MIN_ARTICLES}.")
    if dim < MIN_DIM or dim % 2:
        raise UserError(
            f"--dim {dim}: a world is made of planes, so its dimension is even; ask for an even number of at "
            f"least {MIN_DIM}."
        )
    if seed < 0:
        raise UserError(f"--seed {seed}: a seed is not negative; give 0 or more.")
    return law, articles, dim
