"""Tables of docs/leaks.md: planted leaks found, the verdict of a model that recites them, and false alarms.

    python ci/leak_table.py planted --judged wiki.npz --texts wiki.jsonl.gz --train brown.npz --cache leak-cache
    python ci/leak_table.py clean --corpus wiki.npz --corpus brown.npz --corpus peps.npz

Article NPZ files; the texts, one article a line with ``article`` and ``chunks``, are what ``--judged`` was made from.
"""

import gzip
import itertools
import json
import re
import tempfile
from pathlib import Path

import click
import numpy as np
import torch

from lvm_gates.harness.audits import disjoint_articles, leaked_windows
from lvm_gates.harness.corpus.corpus import Corpus, write_corpus
from lvm_gates.harness.corpus.opening import open_any
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.evaluation.session_data import CorpusArguments, Inputs, resolve
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.judging.verdict import make_card
from lvm_gates.harness.leaks.chunks import chunks_of, joined
from lvm_gates.harness.leaks.detection import find_leaks
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor
from lvm_gates.harness.text.embedding import SentenceEncoder

CHANGES = ("exact", "re-embedded", "paraphrased", "cut anew")
SHARES = (0.001, 0.01, 0.1, 1.0)
# Chunks of one planted run; at a share of one whole articles are planted.
RUN = 30
# No window of five frames lies in fewer chunks, and nothing is learnt from them.
SHORTEST = 8
WINDOWS_JUDGED = 300
# As the chunks of the judged corpus were embedded.
MAX_TOKENS = 96
SYNONYMS = {
    "big": "large", "large": "big", "many": "numerous", "also": "too", "however": "but", "about": "around",
    "often": "frequently", "used": "employed", "made": "created", "said": "stated", "first": "initial",
    "important": "significant", "small": "little", "new": "novel", "several": "various", "must": "have to",
    "should": "ought to", "very": "quite", "after": "following", "before": "prior to", "use": "employ",
    "need": "require", "and": "as well as", "the": "this",
}  # fmt: skip


class Reciter:
    """Finds the training chunk nearest to the last frame and answers with the one after it."""

    def __init__(self, corpus: Corpus) -> None:
        rows = corpus.rows_of(corpus.articles("TRAIN"))
        follows = np.flatnonzero(corpus.run_start[rows[1:]] == corpus.run_start[rows[:-1]])
        self.chunks, self.after = corpus.vectors(rows[follows]), corpus.vectors(rows[follows + 1])

    def predict(self, contexts: np.ndarray) -> np.ndarray:
        return self.after[(contexts[:, -1] @ self.chunks.T).argmax(axis=1)]


def paraphrase(text: str, rng: np.random.Generator) -> str:
    """A tenth of the longer words dropped, half of the known ones replaced, case and punctuation lost half the time."""
    kept = [w for w in text.split() if len(w) <= 4 or rng.random() >= 0.1]
    words = [SYNONYMS[w.lower()] if w.lower() in SYNONYMS and rng.random() < 0.5 else w for w in kept]
    changed = " ".join(words) or text
    if rng.random() < 0.5:
        changed = changed.lower()
    return re.sub(r"[,;:()\"]", "", changed) if rng.random() < 0.5 else changed


def half_on(chunks: list[str]) -> list[str]:
    """The same text cut half a chunk further on."""
    halves = [(w[: len(w) // 2], w[len(w) // 2 :]) for w in (chunk.split() for chunk in chunks)]
    return [" ".join([*one[1], *other[0]]) for one, other in itertools.pairwise(halves)]


def embedded(kind: str, articles: list[list[str]], folder: Path) -> list[np.ndarray]:
    """One array an article, kept in ``folder``: in other batches throughout, in bfloat16, or of changed text."""
    file = folder / f"{kind}.npz"
    if not file.is_file():
        rng = np.random.default_rng(0)
        change = {"re-embedded": list, "paraphrased": lambda c: [paraphrase(t, rng) for t in c], "cut anew": half_on}
        texts = [change[kind](chunks) for chunks in articles]
        encoder = SentenceEncoder(None, device=torch.device("cpu"), batch_size=12, max_tokens=MAX_TOKENS)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=kind == "re-embedded"):
            vectors = encoder.encode([text for chunks in texts for text in chunks])
        np.savez(file, vectors=vectors, lengths=[len(chunks) for chunks in texts])
    with np.load(file, allow_pickle=False) as stored:
        return np.split(stored["vectors"], np.cumsum(stored["lengths"])[:-1])


def plant(judged: list[np.ndarray], altered: list[np.ndarray], share: float, rng: np.random.Generator):
    """What VAL and OOD hold, what TRAIN holds of it, and which chunks of the former are planted.

    Runs of the judged articles go to TRAIN as they are; in the judged articles they are the altered ones.
    """
    if share == 1:
        return altered, judged, [np.ones(len(a), dtype=bool) for a in altered]
    held, marks, copies = [a.copy() for a in judged], [np.zeros(len(a), dtype=bool) for a in judged], []
    wanted = share * sum(map(len, judged))
    while wanted > 0:
        article = int(rng.integers(len(judged)))
        usable = min(len(judged[article]), len(altered[article]))
        length = min(RUN, usable, max(SHORTEST, round(wanted)))
        start = int(rng.integers(usable - length + 1))
        run = slice(start, start + length)
        if marks[article][max(0, start - 1) : start + length + 1].any():
            continue
        held[article][run], marks[article][run] = altered[article][run], True
        copies.append(judged[article][start : start + length + 1])
        wanted -= length
    return held, copies, marks


def verdicts(inputs: Inputs, few: Inputs) -> tuple[str, str, str]:
    """Of the reciter with leaks ignored and left out, and its MRR in both cases."""
    leaks, named = inputs.leaks, NamedPredictor(Identity("reciter"), Reciter(inputs.corpus))
    observed = {split: observe(named, e, batch_size=256) for split, e in few.evaluation.items()}
    left_out = {
        split: leaks.left_out(split)[np.searchsorted(inputs.evaluation[split].windows.targets, e.windows.targets)]
        for split, e in few.evaluation.items()
    }
    reasons = [a.name for a in (disjoint_articles(inputs), leaked_windows(inputs)) if a.blocks]
    cards = [
        make_card(named.identity, observed, load_profile("5cat"), "strict", skill_inputs=None, task="frontier", **given)
        for given in ({}, {"left_out": left_out, "outside": reasons})
    ]
    mrr = [card.gates["B"]["VAL"]["article"]["MRR"].value for card in cards]
    shown = ", ".join("–" if np.isnan(value) else f"{value:.3f}" for value in mrr)
    return cards[0].decision.verdict, cards[1].decision.verdict, shown


def planted(
    judged_on: Path, texts_of: Path, trained_on: Path, articles: int, cache: Path, changes: tuple[str, ...], seed: int
) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    judged, train = open_any(judged_on), open_any(trained_on)
    with gzip.open(texts_of, "rt") as stream:
        texts = {one["article"]: one["chunks"] for one in map(json.loads, stream)}
    own = [judged.vectors(judged.rows_of(np.array([i]))) for i in range(articles)]
    chunks = [texts[int(i)] for i in judged.article_ids[:articles]]
    background = train.vectors(np.arange(train.size))
    click.echo("| change | planted | windows | found | thresholds | reciter before | now | its MRR, before and now |")
    click.echo("|---|---|---|---|---|---|---|---|")
    for kind in changes or CHANGES:
        altered = own if kind == "exact" else embedded(kind, chunks, cache)
        for share in SHARES:
            held, copies, marks = plant(own, altered, share, np.random.default_rng(seed))
            splits = ["VAL", "OOD"] * (len(held) // 2) + ["TRAIN"] * (len(copies) + len(train.starts))
            lengths = [*map(len, held), *map(len, copies), *train.lengths]
            with tempfile.TemporaryDirectory() as folder:
                write_corpus(
                    Path(folder) / "c", np.concatenate([*held, *copies, background]).astype(np.float32),
                    np.array(lengths), splits=np.array(splits), meta={"kind": "test"}, dtype="float16",
                )  # fmt: skip
                asked = CorpusArguments(corpus=Path(folder) / "c")
                inputs, few = (
                    resolve(asked, context=5, max_samples=n, horizon=5, seed=seed) for n in (10**9, WINDOWS_JUDGED)
                )
                mark = np.concatenate(marks)
                hit = total = 0
                for split, evaluation in inputs.evaluation.items():
                    targets = evaluation.windows.targets
                    told = mark[targets] & mark[targets - 1]
                    hit, total = hit + (inputs.leaks.found[split, "TRAIN"] & told).sum(), total + told.sum()
                level = max(inputs.leaks.nulls[split, "TRAIN"].alone for split in ("VAL", "OOD"))
                before, now, mrr = verdicts(inputs, few)
            click.echo(
                f"| {kind} | {share:.1%} | {total:,} | {hit / total:.3f} | {level:.2f} | {before} | {now} | {mrr} |",
            )


def clean(paths: tuple[Path, ...], articles: int, seed: int) -> None:
    corpora = {path.stem: open_any(path) for path in paths}
    click.echo("| judged | against | windows | called leaked | threshold |")
    click.echo("|---|---|---|---|---|")
    rng = np.random.default_rng(seed)

    def row(name: str, other: str, one: tuple[Corpus, np.ndarray], references: list[tuple[Corpus, np.ndarray]]) -> None:
        queries, reference = chunks_of(one[0], one[1]), joined([chunks_of(*part) for part in references])
        lasts = np.flatnonzero(queries.runs[1:] == queries.runs[:-1])
        found = find_leaks(queries, lasts, reference)
        share = found.leaked.mean()
        click.echo(f"| {name} | {other} | {len(lasts):,} | {share:.4f} | {found.null.alone:.2f} |")

    for name, corpus in corpora.items():
        everything = np.arange(len(corpus.starts))
        sample = np.sort(rng.permutation(everything)[:articles])
        rest = np.setdiff1d(everything, sample)
        others = [(c, np.arange(len(c.starts))) for n, c in corpora.items() if n != name]
        if others:
            row(name, " + ".join(n for n in corpora if n != name), (corpus, sample), others)
        if len(rest):
            row(f"{len(sample)} articles of {name}", f"its other {len(rest)}", (corpus, sample), [(corpus, rest)])


@click.group(help=__doc__)
def main() -> None:
    """Two tables."""


NPZ = click.Path(exists=True, path_type=Path)


@main.command("planted")
@click.option("--judged", type=NPZ, required=True)
@click.option("--texts", type=NPZ, required=True, help="What it was embedded from.")
@click.option("--train", type=NPZ, required=True)
@click.option("--articles", default=30, help="Of the judged corpus, from its first: half VAL, half OOD.")
@click.option("--cache", type=click.Path(path_type=Path), required=True, help="For embeddings, which take minutes.")
@click.option("--change", "changes", type=click.Choice(CHANGES), multiple=True, help="Default: each of them.")
@click.option("--seed", default=0)
def planted_command(
    judged: Path, texts: Path, train: Path, articles: int, cache: Path, changes: tuple[str, ...], seed: int
) -> None:
    """Leaks planted in the articles of one corpus."""
    planted(judged, texts, train, articles, cache, changes, seed)


@main.command("clean")
@click.option("--corpus", "corpora", type=NPZ, multiple=True, required=True)
@click.option("--articles", default=60, help="Of each corpus that are judged.")
@click.option("--seed", default=0)
def clean_command(corpora: tuple[Path, ...], articles: int, seed: int) -> None:
    """Articles against other corpora, and against the others of their own."""
    clean(corpora, articles, seed)


if __name__ == "__main__":
    main()
