"""A source, a chunker and an encoder make a corpus folder; killed at any moment, the same call finishes it.

The source is read twice. The first pass plans: every mistake in the input shows before an hour of embedding, and the
progress bar knows its end. The second embeds what is not finished. Then the shards are streamed into the corpus, so
that no more than one of them is ever held.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from lvm_gates.harness.base.atomic import atomic_write, write_json
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.processes import ranks
from lvm_gates.harness.base.seeding import sampling_rng
from lvm_gates.harness.corpus.chunk_text import BLOB_FILE, OFFSETS_FILE, TEXT, write_chunk_text
from lvm_gates.harness.corpus.corpus import Corpus, fingerprint_blocks, open_corpus
from lvm_gates.harness.corpus.corpus_files import FORMAT_VERSION
from lvm_gates.harness.text.chunking import Chunker
from lvm_gates.harness.text.embedding import Encoder
from lvm_gates.harness.text.shards import (
    SHARD_CHUNKS,
    DType,
    Tally,
    cut_shards,
    embed_shard,
    read_shard,
    shard_file,
    shard_key,
)
from lvm_gates.harness.text.sources import Source

# Inside the corpus folder: finished shards lie here until the corpus is whole.
WORK = ".embedding"
# Called with the chunks that are finished and with all there are.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Plan:
    """What the first pass finds; the only thing that grows with the text, by 8 bytes a chunk."""

    keys: list[str]
    sizes: list[int]
    titles: list[str]
    lengths: Int[np.ndarray, " a"]
    chunk_index: Int[np.ndarray, " n"]
    tally: Tally
    text_sha256: str


def embed_corpus(
    source: Source,
    chunker: Chunker,
    encoder: Encoder,
    out: Path,
    *,
    dtype: DType = "float16",
    seed: int = 0,
    how: str = "",
    shard_chunks: int = SHARD_CHUNKS,
    progress: Progress = lambda done, total: None,
) -> Corpus:
    """Embed ``source`` into the corpus folder ``out``; of several processes each does some of the shards.

    What they leave is what one leaves, and any number of them finishes what another number began. All read the source
    and ``out`` by the same path.

    Args:
        source: the text.
        chunker: cuts it.
        encoder: embeds it.
        out: corpus folder; holds the finished shards while the corpus is being made.
        dtype: storage type.
        seed: of the split by article: 80 % TRAIN, 10 % VAL, 10 % OOD.
        how: the command, recorded.
        shard_chunks: chunks that make a shard.
        progress: told how far this process is.

    Raises:
        UserError: a source without a chunk, one that changes while it is read, or that is another in another process.
    """
    group = ranks()
    job = {"encoder": encoder.name, **encoder.identity, "dtype": dtype}
    plan = _plan(source, chunker, shard_chunks, job)
    work = out / WORK
    group.require_same("".join(plan.keys), "text, encoder and options")
    with group.all_or_none():
        if group.first:
            _remove_leftovers(out)
    total, done = sum(plan.sizes[group.rank :: group.world]), 0
    progress(done, total)

    def tick(chunks: int) -> None:
        nonlocal done
        done += chunks
        progress(done, total)

    with group.all_or_none():
        number = -1
        for number, shard in enumerate(cut_shards(source, chunker, shard_chunks, Tally())):
            if number >= len(plan.keys) or shard_key(shard, job) != plan.keys[number]:
                raise _changed(source)
            path = shard_file(work, number, plan.keys[number])
            if number % group.world != group.rank:
                continue
            if read_shard(path) is None:
                embed_shard(shard, encoder, dtype, path, tick)
            else:
                tick(len(shard.texts))
        if number + 1 != len(plan.keys):
            raise _changed(source)
    provenance = {
        "kind": "embedded",
        "encoder": {"name": encoder.name, **encoder.identity},
        "unit": chunker.unit,
        "splitter": chunker.splitter,
        "source": {"name": source.name, "description": source.description},
        "licence": source.licence,
        **asdict(plan.tally),
        "split": {"by": "article, at random", "seed": seed},
        "how": how,
    }
    with group.all_or_none():
        if group.first:
            _assemble(out, plan, encoder.dim, dtype, seed, provenance)
            # Renamed first: a half-deleted folder of shards must not look like work to resume.
            finished = out / f"{WORK}-finished"
            work.rename(finished)
            shutil.rmtree(finished)
    return open_corpus(out)


def can_resume(out: Path) -> bool:
    """Whether ``out`` holds what an interrupted `embed_corpus` left, so that nothing in it would be lost."""
    return (out / WORK).is_dir()


def _plan(source: Source, chunker: Chunker, size: int, job: dict[str, Any]) -> Plan:
    tally, text = Tally(), hashlib.sha256()
    keys, sizes, titles = [], [], []
    lengths, index = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for shard in cut_shards(source, chunker, size, tally):
        keys.append(shard_key(shard, job))
        sizes.append(len(shard.texts))
        titles.extend(shard.titles)
        lengths.append(np.array(shard.lengths, dtype=np.int64))
        index.append(np.array(shard.index, dtype=np.int64))
        for chunk in shard.texts:
            text.update(chunk.encode() + b"\n")
    if not keys:
        raise UserError(
            f"{source.name}: no article has a {chunker.unit} with a letter in it ({tally.empty_articles} empty "
            "articles); give some text."
        )
    return Plan(keys, sizes, titles, np.concatenate(lengths), np.concatenate(index), tally, text.hexdigest())


def _assemble(out: Path, plan: Plan, dim: int, dtype: DType, seed: int, provenance: dict[str, Any]) -> None:
    """Stream the shards into a corpus folder, ``corpus.json`` last."""
    # A corpus that is being replaced must not be read with half of its files new.
    (out / "corpus.json").unlink(missing_ok=True)
    ids = np.arange(len(plan.lengths))
    splits = split_articles(len(ids), seed)
    truncated = 0
    with atomic_write(out / "vectors.npy") as stream:
        # Written front to back, not through a memory map, whose pages would count as this process's memory.
        shape = (len(plan.chunk_index), dim)
        header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)

        def blocks() -> Iterator[Float[np.ndarray, "_ d"]]:
            nonlocal truncated
            for number, (key, size) in enumerate(zip(plan.keys, plan.sizes, strict=True)):
                found = read_shard(shard_file(out / WORK, number, key))
                if found is None or found.vectors.shape != (size, dim) or len(found.texts) != size:
                    raise UserError(f"{out / WORK}: shard {number} was removed or damaged; run the same command again.")
                truncated += found.truncated
                stream.write(found.vectors.tobytes())
                yield found.vectors.astype(np.float32)

        fingerprint = fingerprint_blocks(ids, plan.lengths, plan.chunk_index, blocks())
    with atomic_write(out / "articles.npz") as stream:
        np.savez(stream, article_ids=ids, lengths=plan.lengths, chunk_index=plan.chunk_index, splits=splits)
    write_json(out / "titles.json", plan.titles)
    texts = (
        text
        for number, key in enumerate(plan.keys)
        if (found := read_shard(shard_file(out / WORK, number, key))) is not None
        for text in found.texts
    )
    record = {
        "format_version": FORMAT_VERSION,
        "chunks": len(plan.chunk_index),
        "articles": len(ids),
        "dim": dim,
        "dtype": dtype,
        "fingerprint": fingerprint,
        **provenance,
        "truncated_chunks": truncated,
        "text_sha256": plan.text_sha256,
        TEXT: write_chunk_text(out, texts),
    }
    write_json(out / "corpus.json", record)


def split_articles(articles: int, seed: int) -> Shaped[np.ndarray, " a"]:
    """80 % TRAIN, 10 % VAL, 10 % OOD at random, at least one article each; fewer than three are all TRAIN."""
    held_out = max(1, round(articles / 10)) if articles >= 3 else 0
    shuffled = sampling_rng(seed).permutation(articles)
    splits = np.full(articles, "TRAIN", dtype="<U5")
    splits[shuffled[:held_out]] = "VAL"
    splits[shuffled[held_out : 2 * held_out]] = "OOD"
    return splits


def _remove_leftovers(out: Path) -> None:
    """Temporary files of a killed run, which had no chance to remove them."""
    written = ("vectors.npy", "articles.npz", "titles.json", OFFSETS_FILE, BLOB_FILE, "corpus.json")
    for name in (*(f".{name}" for name in written), f"{WORK}/"):
        for file in out.glob(f"{name}.*.tmp"):
            file.unlink()
    shutil.rmtree(out / f"{WORK}-finished", ignore_errors=True)


def _changed(source: Source) -> UserError:
    return UserError(f"{source.name}: changed while it was read; run the same command again once it is at rest.")
