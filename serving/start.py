"""From settings to a server that can answer: corpus, index, texts, encoder, model."""

from pathlib import Path
from typing import Any

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.chunk_text import open_chunk_text
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.opening import open_any
from lvm_gates.harness.files.json_file import read_json
from lvm_gates.harness.worlds.world import default_corpus
from lvm_gates.serving.bank import Bank
from lvm_gates.serving.continuation import Library
from lvm_gates.serving.decoder import decoder_of
from lvm_gates.serving.familiarity import Familiarity
from lvm_gates.serving.metrics import Metrics
from lvm_gates.serving.passage import Reader, open_reader
from lvm_gates.serving.server import Server, serving_of
from lvm_gates.serving.service import load_model
from lvm_gates.serving.settings import Settings

_LARGEST_TITLES = 256 << 20


def start(settings: Settings) -> Server:
    """Load everything; the server takes requests once its application starts.

    Raises:
        UserError: see `harness.corpus.opening`, `serving.service.load_model`, `Bank.build` and `decoder_of`.
    """
    corpus = default_corpus() if settings.corpus is None else open_any(settings.corpus)
    model = load_model(settings, corpus)
    bank = Bank.build(corpus, settings.bank)
    text = open_chunk_text(corpus.path) if corpus.path.is_dir() else None
    metrics = Metrics()
    return Server(
        settings=settings,
        library=Library(bank, text, _titles(corpus)),
        familiarity=Familiarity.measure(bank, model.context),
        decoder=decoder_of(settings.decoder, corpus),
        reader=_reader(corpus, settings),
        serving=serving_of(model, settings, metrics),
        metrics=metrics,
    )


def _reader(corpus: Corpus, settings: Settings) -> Reader | str:
    """What reads texts, or why none can be read: vectors are served all the same."""
    try:
        return open_reader(corpus, settings.encoder, settings.device)
    except UserError as error:
        if settings.encoder is not None:  # asked for by name
            raise
        return str(error)


def _titles(corpus: Corpus) -> tuple[str, ...]:
    file = Path(corpus.path) / "titles.json"
    if not file.is_file():
        return ()
    found: Any = read_json(file, _LARGEST_TITLES)
    whole = isinstance(found, list) and len(found) == len(corpus.starts) and all(isinstance(one, str) for one in found)
    return tuple(found) if whole else ()
