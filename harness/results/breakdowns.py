"""The breakdown of a model with the sentences that it missed, where the corpus folder has its text.

They are kept in the scorecard, so that a report can be shown again where the corpus is not.
"""

import numpy as np
from msgspec.structs import replace

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.paths import is_folder
from lvm_gates.harness.corpus.chunk_text import ChunkText, open_chunk_text
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.judging.session import GateRun
from lvm_gates.harness.statistics.breakdown import Breakdown, Places, WorstArticle, WorstWindow, breakdown

# Letters of a chunk that a report keeps, and frames of context.
LETTERS, FRAMES = 240, 5


def breakdowns(run: GateRun, model: str) -> dict[str, Breakdown]:
    """Split -> where a model is weak on it; empty of one that broke, and under the original protocol."""
    if run.published or run.observing.faults(model):
        return {}
    text, left_out = _text(run), run.left_out_of(model)
    return {
        split: _with_text(
            breakdown(
                run.observations(model, split),
                run.observations("control:linear", split),
                places(run.inputs.evaluation[split]),
                ~left_out[split],
            ),
            run.inputs.evaluation[split],
            text,
        )
        for split in JUDGED
    }


def places(evaluation: EvaluationSet) -> Places:
    """Where each window of a split stands in its article."""
    corpus, targets = evaluation.corpus, evaluation.windows.targets
    articles = evaluation.windows.clusters
    lengths = corpus.lengths[articles]
    return Places(
        article=corpus.article_ids[articles],
        chunk=corpus.chunk_index[targets],
        position=(targets - corpus.starts[articles]) / np.maximum(lengths - 1, 1),
        length=lengths,
    )


def _text(run: GateRun) -> ChunkText | None:
    folder = run.inputs.corpus.path
    try:
        return open_chunk_text(folder) if is_folder(folder) else None
    except UserError:  # the vectors are sound, and a verdict must not wait for the letters beside them
        return None


def _with_text(found: Breakdown, evaluation: EvaluationSet, text: ChunkText | None) -> Breakdown:
    if text is None or len(text) != evaluation.corpus.size:
        return found
    corpus, frames = evaluation.corpus, min(FRAMES, evaluation.windows.context)
    starts = dict(zip(corpus.article_ids.tolist(), corpus.starts.tolist(), strict=True))

    def window(one: WorstWindow) -> WorstWindow:
        context = [cut(text[row]) for row in range(one.row - frames, one.row)]
        return replace(one, context=context, target=cut(text[one.row]))

    def article(one: WorstArticle) -> WorstArticle:
        return replace(one, text=cut(text[starts[one.article]]))

    return replace(found, windows=[*map(window, found.windows)], articles=[*map(article, found.articles)])


def cut(text: str) -> str:
    """At most `LETTERS` letters on one line, with an ellipsis where there were more."""
    line = " ".join(text.split())
    return line if len(line) <= LETTERS else f"{line[: LETTERS - 1].rstrip()}…"
