"""Several processes embed what one embeds: here threads, which tell one another what processes would."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from fake_encoder import FakeEncoder
from test_build import PARAGRAPHS, content, write_text

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.processes import Ranks
from lvm_gates.harness.text import build
from lvm_gates.harness.text.sources import open_source


@dataclass
class Group:
    """What the members of a run have said."""

    world: int
    said: dict = field(default_factory=dict)

    def __post_init__(self):
        self.barrier = threading.Barrier(self.world, timeout=30)


@dataclass(frozen=True)
class Member(Ranks):
    """One of several threads."""

    group: Group | None = None

    def gathered(self, value):
        self.group.said[self.rank] = value
        self.group.barrier.wait()
        found = [self.group.said[rank] for rank in range(self.world)]
        self.group.barrier.wait()
        return found


@pytest.fixture
def embedded(tmp_path, monkeypatch):
    """embedded(world, out, encoders): what each of so many processes ends with."""
    own = threading.local()
    monkeypatch.setattr(build, "ranks", lambda: own.ranks)
    text = open_source(str(write_text(tmp_path / "text")))

    def embed(world, out, encoders):
        group = Group(world)

        def one(rank):
            own.ranks = Member(rank, world, group) if world > 1 else Ranks()
            try:
                return build.embed_corpus(text, PARAGRAPHS, encoders[rank], out, shard_chunks=21, how="test")
            except UserError as error:
                return str(error)

        with ThreadPoolExecutor(world) as pool:
            return list(pool.map(one, range(world)))

    return embed


class Counting(FakeEncoder):
    def __init__(self, most=10**6):
        super().__init__()
        self.seen, self.most = 0, most

    def encode(self, texts):
        self.seen += len(texts)
        if self.seen > self.most:
            raise UserError("the encoder has had enough.")
        return super().encode(texts)


@pytest.mark.parametrize("world", [2, 3, 9])
def test_the_corpus_is_that_of_one_process(embedded, tmp_path, world):
    embedded(1, tmp_path / "alone", [FakeEncoder()])
    encoders = [Counting() for _ in range(world)]
    corpora = embedded(world, tmp_path / "together", encoders)
    assert content(tmp_path / "together") == content(tmp_path / "alone")
    assert {corpus.fingerprint for corpus in corpora} == {corpora[0].fingerprint}
    assert sum(encoder.seen for encoder in encoders) == 140, "each chunk once"
    assert [encoder.seen > 0 for encoder in encoders] == [rank < 7 for rank in range(world)], "there are seven shards"


def test_what_one_process_meets_ends_all_and_another_number_goes_on(embedded, tmp_path):
    embedded(1, tmp_path / "alone", [FakeEncoder()])
    out = tmp_path / "together"
    ended = embedded(2, out, [Counting(), Counting(most=21)])
    assert ended == ["process 1 of 2: the encoder has had enough.", "the encoder has had enough."]
    encoders = [Counting() for _ in range(3)]
    embedded(3, out, encoders)
    assert content(out) == content(tmp_path / "alone")
    assert sum(encoder.seen for encoder in encoders) < 60, "what was finished is not embedded again"


def test_processes_with_another_text_are_refused(embedded, tmp_path):
    other = FakeEncoder()
    other.identity = {"another": 1}
    ended = embedded(2, tmp_path / "out", [FakeEncoder(), other])
    assert all("do not have the same text, encoder and options" in sentence for sentence in ended)
    assert not (tmp_path / "out").exists()
