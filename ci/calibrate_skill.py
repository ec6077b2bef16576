"""How often profile `skill` releases trivial predictors, over many draws of articles from several corpora.

Half the articles of each corpus (all of one named with --judge) are judged: every draw takes some for VAL and others
for OOD. The other halves are what ridge, climatology and the library's own fits learn from. Interrupted, the same
command goes on: scores are kept under --out.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click
import numpy as np
from jaxtyping import Bool

import lvm_gates.harness.rivals
from ci.calibration_draws import Judged, draws, judge
from ci.calibration_scores import Totals, score
from ci.calibration_table import Outcome, table
from ci.trivial_fits import Fitted, fit
from ci.trivial_library import library
from ci.trivial_parts import Predict
from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.clusters import MINIMUM_ARTICLES
from lvm_gates.harness.controls.registry import Ingredients
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.near_duplicates import near_duplicates
from lvm_gates.harness.corpus.opening import open_any
from lvm_gates.harness.corpus.windows import Windows, sample_windows, windows_of
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.rivals import Basis, cached_fitted_weights, score_all

CONTEXT = 5
PREDICTORS, RIVALS = "predictors", "rivals"
# Scores are kept for as long as the code that made them is unchanged; read at the start, as the code itself was.
_HERE = Path(__file__).parent
_CODE = {
    PREDICTORS: [_HERE / "calibration_scores.py", *sorted(_HERE.glob("trivial_*.py"))],
    RIVALS: sorted(Path(str(lvm_gates.harness.rivals.__file__)).parent.glob("*.py")),
}
_CODE_DIGEST = {what: hashlib.sha256(b"".join(f.read_bytes() for f in files)).digest() for what, files in _CODE.items()}


@dataclass(frozen=True)
class Source:
    """One corpus, its articles dealt out."""

    name: str
    corpus: Corpus
    training: Windows
    judged: Windows

    @classmethod
    def open(cls, name: str, path: Path, *, judged_only: bool, articles: int, seed: int) -> "Source":
        """Deal the articles out: half to learn from, at most ``articles`` of the others to judge."""
        corpus = open_any(path)
        order = np.random.default_rng([seed, 11]).permutation(len(corpus.starts))
        order = order[corpus.lengths[order] > CONTEXT]
        half = 0 if judged_only else len(order) // 2
        judged = windows_of(corpus, np.sort(order[half : half + articles]), CONTEXT)
        return cls(name, corpus, windows_of(corpus, np.sort(order[:half]), CONTEXT), judged)


@dataclass(frozen=True)
class Setting:
    """What the fitted predictors learn from, and the scores that follow."""

    sources: Mapping[str, Source]
    train: tuple[str, ...]
    out: Path
    seed: int
    windows: int

    @property
    def name(self) -> str:
        return "+".join(self.train)

    @cached_property
    def training(self) -> tuple[Windows, ...]:
        return tuple(sample_windows(self.sources[name].training, self.windows, self.seed) for name in self.train)

    @cached_property
    def fitted(self) -> Fitted:
        # Whoever has a corpus of his own can bring its mean and its ridge along, whatever the rivals learn from.
        foreign = {n: (sample_windows(s.training, self.windows, self.seed),) for n, s in self.sources.items()}
        return fit(self.training, self.seed, {n: w for n, w in foreign.items() if len(w[0])})

    def predictors(self) -> dict[str, Predict]:
        return library(self.fitted)

    def rivals(self, evaluation: EvaluationSet, kept: Bool[np.ndarray, " n"]) -> Totals:
        """The family of rivals, as a session of profile `skill` has it."""
        ingredients = Ingredients(self.training[0].corpus, self.training, self.seed)
        basis = Basis(ingredients.climatology.vector, ingredients.linear)
        weights = cached_fitted_weights(
            self.training, self.seed, ingredients.linear_fit.held_out, ingredients.climatology.vector
        )
        scores = score_all(evaluation, weights, basis).take(np.flatnonzero(kept))
        return Totals.of(scores.names, scores.cosine, scores.reciprocal_rank, evaluation.windows.clusters[kept])

    def totals(self, source: Source, what: str) -> Totals:
        """Scores of the predictors or the rivals on one corpus, computed once."""
        file = self.out / f"{self._digest(source, what)}.npz"
        if not file.is_file():
            click.echo(f"{self.name}: scoring {what} on {source.name}, {len(source.judged):,} windows")
            evaluation = EvaluationSet("VAL", source.judged, np.unique(source.judged.clusters), self.seed, 1)
            kept = ~near_duplicates(source.judged, self.training)
            totals = self.rivals(evaluation, kept) if what == RIVALS else score(self.predictors(), evaluation, kept)
            with atomic_write(file) as stream:
                np.savez(stream, allow_pickle=False, **(vars(totals) | {"names": np.array(totals.names)}))
        with np.load(file, allow_pickle=False) as stored:
            values = dict(stored)
        return Totals(**(values | {"names": tuple(values["names"].tolist())}))

    def _digest(self, source: Source, what: str) -> str:
        digest = hashlib.sha256(f"{what}|{self.seed}|{self.windows}|{CONTEXT}|{self.name}".encode())
        digest.update(_CODE_DIGEST[what])
        for one in (source, *self.sources.values()):
            digest.update(f"{one.name}|{one.corpus.fingerprint}".encode())
            digest.update(one.training.targets.tobytes() + one.judged.targets.tobytes())
        return f"{what}-{self.name}-{source.name}-{digest.hexdigest()[:16]}"


def outcomes(setting: Setting, *, count: int, each: int, smallest: float) -> list[Outcome]:
    """Judge every draw of every corpus."""
    found = []
    for source in setting.sources.values():
        predictors, rivals = setting.totals(source, PREDICTORS), setting.totals(source, RIVALS)
        size = min(each, len(predictors.windows) // 2)
        if size < MINIMUM_ARTICLES:  # without an interval nothing is released, which would show nothing
            raise click.ClickException(
                f"{source.name}: {size} articles a split, and no interval holds below {MINIMUM_ARTICLES}; give a "
                "larger corpus, or more --articles and --most."
            )
        splits: tuple[list[Judged], list[Judged]] = ([], [])
        for pair in draws(len(predictors.windows), size, count, setting.seed):
            for split, chosen in zip(splits, pair, strict=True):
                split.append(judge(predictors.take(chosen), rivals.take(chosen)))
        val, ood = (np.stack([judged.released(smallest) for judged in split]) for split in splits)
        gain = np.stack([judged.gain for split in splits for judged in split])
        whole = judge(predictors, rivals)
        found.append(Outcome(setting.name, source.name, predictors.names, size, whole, gain, val, ood))
    return found


def worth_having() -> float:
    """The smallest gain that releases, as profile `skill` has it."""
    rows = [row for row in load_profile("skill").of_gate("frontier") if row.comparison == "at_least"]
    return max((limit for row in rows for limit in row.limits.values()), default=0.0)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("corpora", nargs=-1, required=True, metavar="NAME=PATH...")
@click.option("--judge", "judged_only", multiple=True, help="A corpus of which every article is judged.")
@click.option("--train", multiple=True, help="Names joined by +; a setting each [default: all that are split].")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Scores and table.md.")
@click.option("--draws", "count", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--articles", "each", type=click.IntRange(min=2), default=30, show_default=True, help="In VAL, and OOD.")
@click.option("--most", default=100, show_default=True, help="Articles of a corpus that draws are made from.")
@click.option("--windows", default=25_000, show_default=True, help="Training windows of a corpus.")
@click.option("--smallest", type=float, help="Smallest gain worth having, MRR or cosine [default: the profile's].")
@click.option("--seed", default=0, show_default=True)
def main(
    corpora: Sequence[str],
    judged_only: Sequence[str],
    train: Sequence[str],
    out: Path,
    count: int,
    each: int,
    most: int,
    windows: int,
    smallest: float | None,
    seed: int,
) -> None:
    """Make the table of trivial predictors that are released."""
    paths = dict(named.partition("=")[::2] for named in corpora)
    fitted_on = [name for name in paths if name not in judged_only]
    for name, path in paths.items():
        if not Path(path).exists() or not path:
            raise click.UsageError(f"{name}={path}: no such corpus; give NAME=PATH of a folder or an article NPZ.")
    trains = train or ["+".join(fitted_on)]
    for name in (name for names in trains for name in names.split("+")):
        if name not in fitted_on:
            raise click.UsageError(f"--train {name}: not among {', '.join(fitted_on)}, which are split for training.")
    sources = {
        name: Source.open(name, Path(path), judged_only=name in judged_only, articles=most, seed=seed)
        for name, path in paths.items()
    }
    found, worth = [], worth_having() if smallest is None else smallest
    for names in trains:
        setting = Setting(sources, tuple(names.split("+")), out, seed, windows)
        found += outcomes(setting, count=count, each=each, smallest=worth)
    text = table(found)
    with atomic_write(out / "table.md") as stream:
        stream.write(text.encode())
    click.echo(text)


if __name__ == "__main__":
    main()
