"""The splits of a corpus, by name; the one list of them."""

from typing import Literal

SplitName = Literal["TRAIN", "VAL", "OOD"]
SPLITS: tuple[SplitName, ...] = ("TRAIN", "VAL", "OOD")
# What models are judged on: articles held out of training, and articles of another distribution.
JUDGED: tuple[SplitName, SplitName] = ("VAL", "OOD")
