"""The HTTP interface: routes, and what each status means. What is answered is made elsewhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated, Any

import numpy as np
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from jaxtyping import Float
from starlette.middleware import Middleware

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.vectors import unit
from lvm_gates.serving.chat import Talk
from lvm_gates.serving.continuation import rollout
from lvm_gates.serving.guard import Guard
from lvm_gates.serving.log import log
from lvm_gates.serving.messages import (
    ChatAnswer,
    ChatRequest,
    Health,
    PredictAnswer,
    PredictRequest,
    Problem,
    Ready,
    RolloutAnswer,
    RolloutRequest,
    VerdictAnswer,
)
from lvm_gates.serving.server import Server
from lvm_gates.serving.service import Serving
from lvm_gates.serving.settings import Limits

ROUTES = frozenset(
    {"/", "/health", "/ready", "/v1/predict", "/v1/rollout", "/v1/verdict", "/chat", "/metrics", "/openapi.json"}
)
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is no JSON."},
    401: {"model": Problem, "description": "A token is wanted."},
    413: {"model": Problem, "description": "The body is too long."},
    422: {"model": Problem, "description": "The request asks for what cannot be answered; `detail` says why."},
    429: {"model": Problem, "description": "Too many requests at once; see Retry-After."},
    500: {"model": Problem, "description": "The model failed."},
    503: {"model": Problem, "description": "No model is ready."},
    504: {"model": Problem, "description": "It took longer than a request may."},
}


def create_app(server: Server) -> FastAPI:
    """The application of one server; it starts and stops with the application's life."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with server.running():
            yield

    app = FastAPI(
        title="lvm-serve",
        version="1",
        description="Predicted continuations by a next-embedding predictor that its scorecard releases.",
        lifespan=life,
        middleware=[Middleware(Guard, settings=server.settings, metrics=server.metrics, routes=ROUTES)],
        docs_url=None,
        redoc_url=None,
    )
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(UserError, _failed)
    limits = server.settings.limits

    def serving() -> Serving:
        """The model that answers now; a request keeps the one that it began with."""
        return server.serving

    Now = Annotated[Serving, Depends(serving)]  # noqa: N806 - a type

    @app.get("/health")
    async def health() -> Health:
        """The process is alive."""
        return Health()

    @app.get("/ready", responses={503: {"model": Ready}})
    async def ready(response: Response) -> Ready:
        """Whether requests are taken; 503 where not."""
        response.status_code = 200 if server.takes_requests else 503
        return Ready(ready=server.takes_requests, model=server.serving.model.served)

    @app.get("/v1/verdict", responses={401: _REFUSALS[401]})
    async def verdict(now: Now) -> VerdictAnswer:
        """What the scorecard says of the model."""
        return server.verdict(now.model)

    @app.get("/metrics", response_class=Response, responses={401: _REFUSALS[401]})
    async def metrics() -> Response:
        """For Prometheus."""
        return Response(server.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.post("/v1/predict", responses=_REFUSALS)
    async def predict(request: PredictRequest, now: Now) -> PredictAnswer:
        """The next chunk of each context, as a unit vector."""
        contexts = _contexts(request.contexts, now, limits)
        with server.timed("model"):
            found = await now.ask(contexts)
        return PredictAnswer(predictions=found.tolist(), model=now.model.served)

    @app.post("/v1/rollout", responses=_REFUSALS)
    async def roll(request: RolloutRequest, now: Now) -> RolloutAnswer:
        """The next chunks of one context, each predicted from those before it."""
        _at_most(limits.steps, request.steps, "steps")
        context = _contexts([request.context], now, limits)
        with server.timed("model"):
            found = await rollout(now.ask, context, request.steps)
        return RolloutAnswer(predictions=found[0].tolist(), model=now.model.served)

    @app.post("/chat", responses=_REFUSALS)
    async def chat(request: ChatRequest, now: Now) -> ChatAnswer:
        """What follows a text, told by the nearest real chunks of the corpus."""
        _at_most(limits.characters, len(request.text or ""), "characters")
        _at_most(limits.steps, request.steps, "steps")
        _at_most(limits.neighbours, request.neighbours, "neighbours")
        if server.settings.log_text and request.text:
            log("text", text=request.text)
        return await Talk(server, now, request).answer()

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse((files(__package__) / "page.html").read_text(encoding="utf-8"))

    return app


def _at_most(limit: int, asked: int, what: str) -> None:
    if asked > limit:
        raise HTTPException(422, f"{asked:,} {what} are more than the {limit:,} that are taken")


def _contexts(given: list[list[list[float]]], now: Serving, limits: Limits) -> Float[np.ndarray, "b c d"]:
    """Contexts as unit vectors, (B, C, D)."""
    _at_most(limits.contexts, len(given), "contexts")
    model = now.model
    for context in given:
        if len(context) != model.context or any(len(frame) != model.dim for frame in context):
            shape = f"{len(context)} frames of {', '.join(sorted({str(len(frame)) for frame in context}))} numbers"
            raise HTTPException(
                422, f"a context has {shape}; the model reads {model.context} frames of {model.dim} numbers"
            )
    frames = unit(np.array(given, dtype=np.float64))
    if not np.isfinite(frames).all():
        raise HTTPException(422, "a frame is zero, so it has no direction; leave that chunk out")
    return frames.astype(np.float32)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """One sentence of the first fault; what was sent is not sent back, since it may be long or no JSON at all."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": "", "type": ""}
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return JSONResponse({"detail": f"{where}: {first['msg']}" if where else str(first["msg"])}, 422)


async def _failed(_: Request, error: Exception) -> JSONResponse:
    log("failed", reason=brief(error))
    return JSONResponse({"detail": brief(error)}, 500)
