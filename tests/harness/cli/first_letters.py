"""An encoder without a model, for `lvm-data embed` as typed."""


class FirstLetters:
    """A vector counts letters."""

    def __init__(self, model, *, device, batch_size, max_tokens):
        self.name, self.dim, self.identity = model or "default", 26, {"max_tokens": max_tokens}

    def encode(self, texts):
        import numpy as np

        return np.array([[1 + text.lower().count(chr(97 + i)) for i in range(26)] for text in texts], dtype=np.float32)

    def truncated(self, texts):
        return 0
