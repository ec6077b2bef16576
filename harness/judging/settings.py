"""How a session judges, as all parts of it need to know."""

from dataclasses import dataclass

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.evaluation.session_data import Inputs
from lvm_gates.harness.judging.additions import NOTHING_ADDED, Additions
from lvm_gates.harness.judging.profile import Profile
from lvm_gates.harness.predictors.predictor import NamedPredictor


@dataclass(frozen=True)
class Settings:
    """How a run judges.

    Attributes:
        models: as given to ``--model``, checked, in order.
        profile: whose thresholds decide.
        task: of profile `skill`.
        rule: of release.
        seed: of every random choice.
        batch_size: contexts a predictor reads at once.
        additions: gates, controls and audits from outside.
    """

    models: tuple[str, ...]
    profile: Profile
    task: str
    rule: str
    seed: int
    batch_size: int
    additions: Additions = NOTHING_ADDED

    @property
    def published(self) -> bool:
        """Whether the original protocol is being reproduced."""
        return self.profile.protocol == "published"


def check_fits(named: NamedPredictor, inputs: Inputs) -> None:
    """Whether a model reads what the corpus holds.

    Raises:
        UserError: another dimension or context length.
    """
    corpus, context = inputs.corpus, inputs.evaluation["VAL"].windows.context
    if named.dim is not None and named.dim != corpus.dim:
        raise UserError(
            f"{named.name}: reads embeddings of {named.dim} dimensions, but {corpus.path} has {corpus.dim}; name "
            "a corpus of the encoder that it was trained on with --corpus."
        )
    if named.context is not None and named.context != context:
        raise UserError(
            f"{named.name}: was trained on {named.context} context frames, the windows have {context}; use "
            f"--context={named.context}."
        )
