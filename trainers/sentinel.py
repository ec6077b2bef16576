"""The watch over a training run: a few gate metrics after each epoch, by the harness's own functions.

The documents' "mini-5CAT" had statistics of its own, on the first batches of the file, and its R@5 among six vectors
had a chance level of .833
(docs/sources.md, "Small battery", "Samples from the head of the file" and "Chance among six"). Here every metric is the
release gate's, on fewer windows of VAL and without the ablations.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
from jaxtyping import Float

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.estimate import Estimate, cluster_mean, paired_difference
from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.controls import Ingredients
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.windows import sample_windows, windows_of
from lvm_gates.harness.evaluation.candidates import POOLS
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.judging.release import blocking_reasons, collapse
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor, OraclePredictor, Predictor
from lvm_gates.harness.rivals import Basis, family_of, score_rivals
from lvm_gates.harness.statistics import offset_sweep, retrieval, rollout
from lvm_gates.harness.statistics.frontier import Frontier
from lvm_gates.trainers.sentinel_rules import Reading

# Not the run's seed: readings of different runs and epochs must be comparable on the same windows.
SENTINEL_SEED = 0
BATCH_SIZE = 256
_NOVEL = POOLS.index("novel")


class Sentinel:
    """Looks at one predictor after another on the same VAL windows.

    The rivals are scored once, here, but for those that need a ridge: its fit on the training windows would cost as
    much as epochs of a small network. Where ridge helps, a reading's F is above the gate's (by .006 on Wikipedia). A
    look asks ``windows`` contexts once for each horizon, and a few more to see that predictions do not depend on the
    batch. The target is the next chunk, k=+1, whichever chunk a recipe trains on.

    Args:
        corpus: with TRAIN and VAL articles.
        context: C.
        windows: how many VAL windows at most.
        horizon: H of the rollout; windows whose article ends before it have none.

    Raises:
        UserError: VAL has no window, or TRAIN has none.
    """

    def __init__(self, corpus: Corpus, context: int, *, windows: int = 500, horizon: int = 5) -> None:
        articles = corpus.articles("VAL")
        training = windows_of(corpus, corpus.articles("TRAIN"), context)
        found = sample_windows(windows_of(corpus, articles, context), windows, SENTINEL_SEED)
        if not (len(found) and len(training)):
            raise UserError(
                f"{corpus.path}: VAL or TRAIN has no article of {context + 1} chunks in a row, so there is nothing to "
                "watch a run on; use a smaller --context or other splits."
            )
        self.evaluation = EvaluationSet("VAL", found, articles, SENTINEL_SEED, horizon)
        climatology = Ingredients(corpus, (training,), SENTINEL_SEED).climatology
        rivals = score_rivals(self.evaluation, family_of(context).without_ridge(), Basis(climatology.vector))
        self._frontier = Frontier.of(rivals.cosine, rivals.reciprocal_rank, found.clusters)
        persistence = rivals.names.index("persistence")
        self._persistence = rivals.cosine[:, persistence], rivals.reciprocal_rank[:, persistence]

    def look(self, predictor: Predictor | OraclePredictor, epoch: int) -> Reading:
        """Measure a predictor.

        Near-duplicates of training chunks are not left out, as profile `skill` does: the search would cost more than
        the look, and their share is the same after every epoch.

        Args:
            predictor: a network in eval mode, or a control.
            epoch: from 1.

        Raises:
            UserError: predictions of a wrong shape, or that change with the batch size.
        """
        observed = self._observe(f"the network after epoch {epoch}", predictor)
        sweep = offset_sweep(observed)
        # The rule that blocks a release on text, where a negative margin is no fault by itself.
        findings = tuple(blocking_reasons({"VAL": observed}, {"A": {"VAL": sweep}}, load_profile("skill")))
        pools = retrieval(observed)
        metrics = {
            "cosine": cluster_mean(observed.cosine, observed.clusters),
            **msgspec.structs.asdict(sweep),
            "article": pools.article,
            "novel": pools.novel,
            "rollout": rollout(observed).mean,
            **self._skill(observed),
            **_shape(observed),
            "finite": float(np.mean(observed.finite)),
            "collapsed": bool(observed.finite.all()) and collapse(observed) is not None,
        }
        return Reading(epoch, jsonable(metrics), findings)

    def _observe(self, name: str, predictor: Predictor | OraclePredictor) -> Observations:
        named = NamedPredictor(Identity(name), predictor)
        return observe(named, self.evaluation, batch_size=BATCH_SIZE, ablations=False)

    def _skill(self, observed: Observations) -> Mapping[str, Estimate]:
        """Paired differences to persistence, and F: MRR minus that of the frontier at the same cosine."""
        clusters, mrr = observed.clusters, _mrr(observed)
        return {
            "skill_cosine": paired_difference(observed.cosine, self._persistence[0], clusters),
            "skill_mrr": paired_difference(mrr, self._persistence[1], clusters),
            "F": self._frontier.gains(observed.cosine, mrr)[0],
        }


def _mrr(observed: Observations) -> Float[np.ndarray, " n"]:
    return np.asarray(1.0 / observed.rank[:, _NOVEL])


def _shape(observed: Observations) -> Mapping[str, float]:
    """Effective ranks and variance of the predictions over those of the targets: what collapse is judged by."""
    own, target = observed.spread, observed.target_spread
    # Effective rank grows with the number of vectors, so it is compared at the same number only.
    comparable = own.n == target.n
    pairs = {
        "rank_ratio": (own.rankme, target.rankme),
        "rank_ratio_centred": (own.rankme_centred, target.rankme_centred),
        "variance_ratio": (own.variance, target.variance),
    }
    return {name: a / b if comparable and b else float("nan") for name, (a, b) in pairs.items()}
