"""A model that was made for embeddings of another width, told from what its library says when it is given others.

A network that nobody described is a closed box until it is asked, and then says `mat1 and mat2 shapes cannot be
multiplied`: true, and of no use to who sees it.
"""

import re

# What libraries say, each with the numbers that they found and wanted; products first, since theirs name both.
_SAID = (
    r"mat1 and mat2 shapes cannot be multiplied \(\d+x(?P<found>\d+) and (?P<wanted>\d+)x\d+\)",  # torch, Linear
    r"Expected (?P<wanted>\d+), got (?P<found>\d+)",  # torch, recurrent layers
    r"normalized_shape=\[(?P<wanted>\d+)\].*input of size\s*\[(?:\d+, )*(?P<found>\d+)\]",  # torch, LayerNorm
    r"\(size (?P<wanted>\d+) is different from (?P<found>\d+)\)",  # NumPy, matmul
    r"not aligned: (?P<found>\d+) \(dim \d\) != (?P<wanted>\d+) \(dim \d\)",  # NumPy, dot
    r"has (?P<found>\d+) features, but \w+ is expecting (?P<wanted>\d+) features",  # sklearn
    r"the estimator has (?P<wanted>\d+) features, and a context has \d+ frames of \d+, (?P<found>\d+) in all",  # ours
    r"Got: (?P<found>\d+) Expected: (?P<wanted>\d+)",  # onnxruntime
)


def broke(name: str, said: str, asked: tuple[int, ...]) -> str:
    """The sentence about a model that raised an error while it was asked.

    Args:
        name: of the model.
        said: the error, on one line.
        asked: shape of the contexts, (B, C, D).
    """
    wanted = _wanted(said, asked[1], asked[2])
    if wanted is None:
        return f"{name}: predict() raised {said}."
    return (
        f"{name}: reads embeddings of {wanted} dimensions, but the corpus has {asked[2]}; name a corpus of the encoder "
        f"that it was trained on with --corpus ({said})."
    )


def _wanted(said: str, context: int, dim: int) -> int | None:
    """The width that a model reads, None where the error is about something else."""
    for pattern in _SAID:
        match = re.search(pattern, said)
        if match is None:
            continue
        found, wanted = int(match["found"]), int(match["wanted"])
        if found == dim and wanted != dim:
            return wanted
        if found == context * dim and wanted % context == 0 and wanted != found:  # flattened
            return wanted // context
    return None
