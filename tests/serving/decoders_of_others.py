"""What installed packages might offer as decoders; `test_answers` names them by entry points."""


class Shouting:
    """Words of its own, from vectors and the nearest chunk."""

    def __init__(self, corpus):
        self.dim = corpus.dim

    def decode(self, vectors, nearest):
        assert vectors.shape[1] == self.dim
        return [text.upper() for text in nearest]


def odd(corpus):
    """No decoder."""
    return corpus


def broken(corpus):
    """One that cannot be made."""
    raise TypeError("no")
