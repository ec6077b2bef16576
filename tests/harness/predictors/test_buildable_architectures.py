"""A network that cannot be built is refused in one sentence."""

import math

import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.predictors.architectures import build


@pytest.mark.parametrize(
    ("model_type", "config", "said"),
    [
        (
            "transfomer",
            {},
            r"unknown model type 'transfomer'; did you mean 'transformer'\? Known: amn, band-gated, base-lcm, biased-",
        ),
        (
            "xyz",
            {},
            r"unknown model type 'xyz'; Known: amn, band-gated, base-lcm, biased-transformer, cpc, energy, gru",
        ),
        ("transformer", {"width": 30}, "width of 30 does not divide into 8 heads"),
        ("gru", {"heads": 8}, "cannot build a gru"),
        ("amn", {"input_dim": 4, "output_dim": 5}, "wider than the frames"),
        ("residual", {"input_dim": 4, "output_dim": 5}, "wider than the frames"),
        ("residual", {"base": "residual"}, "cannot wrap another one"),
        ("residual", {"base": "gruu"}, "unknown model type 'gruu'; did you mean 'gru'"),
        ("residual", {"base": "gru", "heads": 8}, "cannot build a gru"),
        ("biased-transformer", {"last_slot_bias": -0.1}, "a last-slot bias of -0.1 is no finite handicap"),
        ("next-token", {"width": 30}, "width of 30 does not divide into 8 heads"),
        ("ranker", {"width": 30}, "width of 30 does not divide into 8 heads"),
        ("ranker", {"input_dim": 4, "output_dim": 5}, "wider than the frames"),
        ("ranker", {"anchor_share": 1.1}, "anchor share of 1.1 lies outside 0 to 1"),
        ("ranker-lstm", {"anchor_share": math.nan}, "anchor share of nan lies outside 0 to 1"),
        ("ranker-lstm", {"anchor_share": 0.9, "learnable": True}, "0.9 does not start between 0.6 and 0.9"),
    ],
)
def test_what_cannot_be_built_is_refused(model_type, config, said):
    with pytest.raises(UserError, match=said):
        build(model_type, **config)
