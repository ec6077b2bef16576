"""Requests and answers, as the OpenAPI description has them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from lvm_gates.serving.continuation import Neighbour

Vector = Annotated[list[FiniteFloat], Field(min_length=1)]
Context = Annotated[list[Vector], Field(min_length=1, description="C chunk embeddings, the oldest first.")]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Served(_Message):
    """Who answered. `released` is false of a model that its scorecard does not release, or that has none."""

    name: str
    sha256: str | None
    released: bool
    verdict: Literal["release", "hold", "blocked", "unjudged"]
    warning: str | None = Field(description="Why this answer should not be relied on; null of a released model.")


class PredictRequest(_Message):
    """Contexts of C chunk embeddings each."""

    contexts: Annotated[list[Context], Field(min_length=1)]


class PredictAnswer(_Message):
    """One unit vector a context."""

    predictions: list[list[float]]
    model: Served


class RolloutRequest(_Message):
    """One context, and how many chunks to go on."""

    context: Context
    steps: Annotated[int, Field(ge=1)] = 5


class RolloutAnswer(_Message):
    """Predictions, each made with those before it as newest frames."""

    predictions: list[list[float]]
    model: Served


class ChatRequest(_Message):
    """What to go on with: a text, or the chunks of the corpus right before one of its rows."""

    text: Annotated[str, Field(min_length=1)] | None = None
    row: Annotated[int, Field(ge=0)] | None = None
    steps: Annotated[int, Field(ge=1)] = 3
    neighbours: Annotated[int, Field(ge=1)] = 5

    @model_validator(mode="after")
    def _one(self) -> "ChatRequest":
        if (self.text is None) == (self.row is None):
            raise ValueError("give either text or row")
        return self


class Told(_Message):
    """One predicted chunk. `text` is what the decoder says; the nearest real chunks stand beside it."""

    step: int
    text: str | None
    nearest: list[Neighbour]


class Step(Told):
    """One predicted chunk of the model.

    `offsets` are its cosines to the frames that were read, 0 the last. `actual` is its cosine to the chunk that does
    follow, where the corpus has it.
    """

    offsets: dict[int, float]
    actual: float | None


class Familiar(_Message):
    """How near the text lies to the corpus. Far from it there is no answer, however confident a neighbour looks."""

    cosine: float
    threshold: float | None
    far: bool


class Times(_Message):
    """Milliseconds of this request: of the encoder, of the model, and of all else."""

    encoder: float
    model: float
    rest: float


class ChatAnswer(_Message):
    """What follows, or why nothing is told."""

    answer: str | None
    refused: str | None
    read: list[str] = Field(description="The chunks that the model read, the oldest first.")
    familiar: Familiar
    continuation: list[Step]
    trivial: dict[str, list[Told]] = Field(description="What predictors without a network would have answered.")
    model: Served
    milliseconds: Times


class Corpus(_Message):
    """What the nearest chunks come from. `reads_text` is false where `/chat` takes rows only; `why_not` says why."""

    chunks: int
    articles: int
    dim: int
    context: int
    bank: str
    recall: float
    reads_text: bool
    why_not: str | None


class VerdictAnswer(_Message):
    """What the scorecard says of the model that answers now."""

    model: Served
    corpus: Corpus
    profile: str | None
    rule: str | None
    judged: str | None
    report: str | None
    gates: dict[str, bool]
    reasons: list[str]
    same_corpus: bool | None = Field(description="Whether it was judged on the corpus that is served.")


class Ready(_Message):
    """Whether requests are taken."""

    ready: bool
    model: Served | None


class Health(_Message):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class Problem(_Message):
    """Why a request was not answered."""

    detail: str
