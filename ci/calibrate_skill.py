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

import ci.calibration_scores
import ci.trivial_fits
import ci.trivial_library
from ci.calibration_draws import Judged, draws, judge
from ci.calibration_scores import Predict, Totals, score
from ci.calibration_table import Outcome, table
from ci.trivial_fits import Fitted, fit
from ci.trivial_library import library
from harness.atomic import atomic_write
from harness.controls.registry import FRONTIER_CONTROLS, Ingredients, build_control
from harness.corpus import Corpus
from harness.inputs import open_any
from harness.near_duplicates import near_duplicates
from harness.predictor import Predictor
from harness.windows import Windows, sample_windows, windows_of

CONTEXT = 5
# Scores are kept for as long as what made them is unchanged; read at the start, as the code itself was.
_CODE = {
    module: Path(str(module.__file__)).read_bytes()
    for module in (ci.calibration_scores, ci.trivial_fits, ci.trivial_library)
}


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

    def subjects(self) -> dict[str, Predict]:
        return library(self.fitted)

    def controls(self) -> dict[str, Predict]:
        """The fourteen controls of the frontier."""
        found: dict[str, Predict] = {}
        ingredients = Ingredients(self.training[0].corpus, self.training, self.seed)
        for name in FRONTIER_CONTROLS:
            control = build_control(name, ingredients)
            if not isinstance(control, Predictor):
                raise TypeError(f"{name} knows the future")
            found[name] = control.predict
        return found

    def totals(self, source: Source, what: str) -> Totals:
        """Scores of the subjects or the rivals on one corpus, computed once."""
        file = self.out / f"{self._digest(source, what)}.npz"
        if not file.is_file():
            click.echo(f"{self.name}: scoring {what} on {source.name}, {len(source.judged):,} windows")
            predictors = {"subjects": self.subjects, "controls": self.controls}[what]()
            totals = score(predictors, source.judged, near_duplicates(source.judged, self.training))
            with atomic_write(file) as stream:
                np.savez(stream, allow_pickle=False, **(vars(totals) | {"names": np.array(totals.names)}))
        with np.load(file, allow_pickle=False) as stored:
            values = dict(stored)
        return Totals(**(values | {"names": tuple(values["names"].tolist())}))

    def _digest(self, source: Source, what: str) -> str:
        digest = hashlib.sha256(f"{what}|{self.seed}|{self.windows}|{CONTEXT}|{self.name}".encode())
        for module, code in _CODE.items():
            if what == "subjects" or module is ci.calibration_scores:
                digest.update(code)
        for one in (source, *self.sources.values()):
            digest.update(f"{one.name}|{one.corpus.fingerprint}".encode())
            digest.update(one.training.targets.tobytes() + one.judged.targets.tobytes())
        return f"{what}-{self.name}-{source.name}-{digest.hexdigest()[:16]}"


def outcomes(setting: Setting, rivals: str, *, count: int, each: int, resamples: int, smallest: float) -> list[Outcome]:
    """Judge every draw of every corpus."""
    found = []
    for source in setting.sources.values():
        subjects, others = setting.totals(source, "subjects"), setting.totals(source, rivals)
        size = min(each, len(subjects.windows) // 2)
        splits: tuple[list[Judged], list[Judged]] = ([], [])
        for number, pair in enumerate(draws(len(subjects.windows), size, count, setting.seed)):
            for split, chosen in zip(splits, pair, strict=True):
                split.append(judge(subjects.take(chosen), others.take(chosen), resamples, number))
        whole = judge(subjects, others, 1, 0)
        val, ood = (np.stack([judged.released(smallest) for judged in split]) for split in splits)
        gain = np.stack([judged.gain for split in splits for judged in split])
        found.append(Outcome(setting.name, source.name, subjects.names, size, whole, gain, val, ood))
    return found


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("corpora", nargs=-1, required=True, metavar="NAME=PATH...")
@click.option("--judge", "judged_only", multiple=True, help="A corpus of which every article is judged.")
@click.option("--train", multiple=True, help="Names joined by +; a setting each [default: all that are split].")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Scores, table.md and table.json.")
@click.option("--draws", "count", default=200, show_default=True)
@click.option("--articles", "each", default=30, show_default=True, help="Articles of VAL, and of OOD.")
@click.option("--most", default=160, show_default=True, help="Articles of a corpus that draws are made from.")
@click.option("--windows", default=25_000, show_default=True, help="Training windows of a corpus.")
@click.option("--resamples", default=1_000, show_default=True)
@click.option("--smallest", default=0.0, show_default=True, help="Smallest effect worth having, F or cosine.")
@click.option("--rivals", type=click.Choice(["controls"]), default="controls", show_default=True)
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
    resamples: int,
    smallest: float,
    rivals: str,
    seed: int,
) -> None:
    """Make the table of trivial predictors that are released."""
    sources = {}
    for name, path in (one.split("=", 1) for one in corpora):
        sources[name] = Source.open(name, Path(path), judged_only=name in judged_only, articles=most, seed=seed)
    found = []
    for names in train or ["+".join(name for name in sources if name not in judged_only)]:
        setting = Setting(sources, tuple(names.split("+")), out, seed, windows)
        found += outcomes(setting, rivals, count=count, each=each, resamples=resamples, smallest=smallest)
    text = table(found)
    with atomic_write(out / f"{rivals}-{smallest:g}.md") as stream:
        stream.write(text.encode())
    click.echo(text)


if __name__ == "__main__":
    main()
