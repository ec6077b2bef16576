"""An encoder of the user's own, named ``python:package.module:name``, and a prefix in front of every chunk.

Whatever is named runs in this process: it is the user's code, asked for by the user.
"""

import hashlib
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.imported import import_named
from lvm_gates.harness.text.embedding import Encoder


class OwnEncoder:
    """A function from texts to vectors, an object with ``encode``, or a factory of either; see `Encoder`.

    Args:
        spec: ``python:package.module:name``.
        root: folder whose modules are found first.

    Raises:
        UserError: there is none of that name, or it is none of these.
    """

    def __init__(self, spec: str, root: Path) -> None:
        self.name = spec
        named = import_named(spec, root)
        self._encode = self._callable(named)
        self.dim = self.encode(["A sentence that tells how wide a vector is."]).shape[1]
        # Nothing says what weights it loads; the module's source is what can be known of it.
        file = inspect.getsourcefile(inspect.getmodule(named) or type(self))
        source = Path(file).read_bytes() if file else b""
        self.identity = {"module_sha256": hashlib.sha256(source).hexdigest(), "dim": self.dim}

    def _callable(self, named: Any, made: bool = False) -> Callable[[list[str]], Any]:
        encode = getattr(named, "encode", None)
        if callable(encode) and not isinstance(named, type):
            found: Callable[[list[str]], Any] = encode
            return found
        if not callable(named):
            raise UserError(
                f"{self.name}: is no function and has no method encode(texts) -> (n, d); name one that does."
            )
        if _takes_texts(named):
            return named  # type: ignore[no-any-return]
        if made:
            raise UserError(f"{self.name}: makes something that takes no texts; return an object with encode(texts).")
        try:
            return self._callable(named(), made=True)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"{self.name}: raised {type(error).__name__} ({brief(error)}) when it was called."
            ) from error

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
        """See `Encoder`."""
        try:
            given = self._encode(list(texts))
            given = given.detach().cpu().numpy() if hasattr(given, "detach") else given
            found = np.asarray(given, dtype=np.float32)
        except Exception as error:
            raise UserError(
                f"{self.name}: raised {type(error).__name__} ({brief(error)}) for {len(texts)} texts."
            ) from error
        width = getattr(self, "dim", found.shape[-1] if found.ndim else 0)
        if found.shape != (len(texts), width) or width == 0:
            raise UserError(
                f"{self.name}: gave {found.shape} for {len(texts)} texts; it must give one vector a text, all "
                "of one width."
            )
        return found

    def truncated(self, texts: Sequence[str]) -> int:
        """See `Encoder`; nobody knows what it reads."""
        return 0


class Prefixed:
    """An encoder that reads every chunk behind a prefix, such as E5's ``"passage: "``; see `Encoder`."""

    def __init__(self, encoder: Encoder, prefix: str) -> None:
        self._encoder, self._prefix = encoder, prefix
        self.name, self.dim = encoder.name, encoder.dim
        self.identity = {**encoder.identity, "prefix": prefix}

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
        """See `Encoder`."""
        return self._encoder.encode([self._prefix + text for text in texts])

    def truncated(self, texts: Sequence[str]) -> int:
        """See `Encoder`."""
        return self._encoder.truncated([self._prefix + text for text in texts])


def _takes_texts(named: Callable[..., Any]) -> bool:
    """Whether something must be given an argument; a factory takes none, or has defaults for all."""
    if isinstance(named, type):
        return False
    try:
        parameters = inspect.signature(named).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(
        one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in parameters
    )
