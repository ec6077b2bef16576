"""What a recipe is: architecture, loss terms and schedule. The loop (`trainers.loop`) does the rest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lvm_gates.trainers.schedule import Schedule

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Int
    from torch import Tensor

    from lvm_gates.harness.corpus.windows import Windows
    from lvm_gates.trainers.objective import Objective


@dataclass(frozen=True)
class Needs:
    """Which chunks a recipe looks at, beside the context.

    Attributes:
        target: offset of the target from the last context frame: 1 is the next chunk; P6 skips it and trains on 2.
        frames: fewest frames of context; 2 where the loss compares with the frame before the last.
        ahead: J, chunks after the target.
        negatives: N, chunks drawn from the target's own article.
        foreign_negatives: draw them from all training targets instead, as P7 was run.
    """

    target: int = 1
    frames: int = 1
    ahead: int = 0
    negatives: int = 0
    foreign_negatives: bool = False


@dataclass(frozen=True)
class Recipe:
    """A recipe.

    Attributes:
        objective: the loss of one step.
        model_type: key of `models.registry.ARCHITECTURES`.
        model: sizes of the architecture; widths of input and output follow from the corpus.
        needs: the chunks it looks at.
        position_scale: scale of the position channel by epoch, None for no channel.
        augment: (contexts, epoch) -> what the network reads in training.
        tune: called with the network before each epoch.
        select_windows: (all training windows, epoch) -> those of this epoch; a curriculum.
        schedules: of the weights that push against the regression loss, by name.
        prepare: called once with the fresh network and all training windows, for what is fitted and not learnt; a run
            that is resumed, or starts from a checkpoint, has it in its weights.
        labels: (A,) a number for each article of the corpus, which the network reads in training as one more channel
            of every frame; never where it is judged.
    """

    objective: "Objective"
    model_type: str = "transformer"
    model: Mapping[str, Any] = field(default_factory=dict)
    needs: Needs = field(default_factory=Needs)
    position_scale: Schedule | None = None
    augment: "Callable[[Tensor, int], Tensor] | None" = None
    tune: "Callable[[Any, int], None] | None" = None
    select_windows: "Callable[[Windows, int], Windows] | None" = None
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    prepare: "Callable[[Any, Windows], None] | None" = None
    labels: "Int[np.ndarray, ' articles'] | None" = None
