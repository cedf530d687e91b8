"""The HTTP interface of one model and one upscaler: their routes, their limits, and what each refuses.

This module postpones no annotations: FastAPI reads them, and the limits in them are those of the server that is made.
"""

import asyncio
import math
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from fastapi import FastAPI, File, Form, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.exceptions import HTTPException

from ganvas.errors import UsageError
from ganvas.model import Model
from ganvas.spaces import space_to_config
from ganvas.upscaling import Upscaler
from ganvas.version import __version__
from ganvas.web.http.batching import Batcher, Full
from ganvas.web.http.docs_page import docs_page
from ganvas.web.http.encoding import FORMATS
from ganvas.web.http.enlarger import WRITTEN, Enlarger
from ganvas.web.http.fair_lock import FairLock
from ganvas.web.http.guard import Guard, error_body
from ganvas.web.http.prometheus import Meters

LARGEST_SEED = 2**53 - 1
"""What every JSON reader keeps exactly."""

PIECE = 1 << 18
"""Bytes of a file that are sent at a time."""

WHOLE = BeforeValidator(lambda value: int(value) if isinstance(value, float) and value.is_integer() else value)
"""Lets 3.0 be a whole number, which in JSON it is."""


@dataclass(frozen=True)
class Limits:
    """samples: in one request. waiting: samples in the queue, beyond which the answer is 429. batch: samples in one run
    of the network; 1 turns batching off. seconds: to send a request, and to wait for samples. body: bytes of a request.
    upload: bytes of one that holds a picture. pixels: of that picture. pictures: in the queue, that in work included.
    picture_seconds: to wait for the enlarged one.
    """

    samples: int = 64
    waiting: int = 1024
    batch: int = 16
    seconds: float = 30.0
    body: int = 65_536
    upload: int = 16_777_216
    pixels: int = 2_000_000
    pictures: int = 8
    picture_seconds: float = 120.0


@dataclass
class State:
    """What the server tells the application: whether it is about to stop."""

    closing: bool = False


class Problem(BaseModel):
    """What every refusal looks like."""

    error: str = Field(description="what is wrong, where, and what to do, on one line")


class AboutUpscaler(BaseModel):
    """What enlarges pictures."""

    name: str
    scale: int
    style: str | float


class About(BaseModel):
    """What is served. space: of its samples, null where it only enlarges. upscaler: null where there is none."""

    name: str
    recipe: str
    step: int
    space: dict[str, Any] | None
    labels: list[str]
    upscaler: AboutUpscaler | None
    limits: dict[str, float]
    ganvas: str


class Health(BaseModel):
    status: Literal["ok", "closing"]


def application(
    model: Model,
    *,
    name: str,
    recipe: str,
    upscaler: Upscaler | None = None,
    limits: Limits | None = None,
    token: str | None = None,
    state: State | None = None,
) -> FastAPI:
    """The application that serves `model`; uvicorn or any ASGI server runs it. name, recipe: what `/v1/model` says.

    upscaler: what `POST /v1/upscale` enlarges with; without one there is no such route. A model that enlarges has no
    `POST /v1/samples`.
    """
    limits, state = limits or Limits(), state or State()
    meters = Meters()
    enlarging = None
    if upscaler is not None:
        # A run is told by its last name alone: where it lies is this machine's business.
        name_of = Path(upscaler.model.name).name
        enlarging = AboutUpscaler(name=name_of, scale=upscaler.scale, style=upscaler.style)
    batcher: Batcher | None = None
    enlarger: Enlarger | None = None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nonlocal batcher, enlarger
        turns = FairLock()
        if not model.enlarges:
            batcher = Batcher(
                model, slots=limits.batch, most_waiting=limits.waiting, turns=turns, on_batch=meters.batch
            )
        if upscaler is not None:
            enlarger = Enlarger(
                upscaler,
                most_waiting=limits.pictures,
                most_pixels=limits.pixels,
                turns=turns,
                on_picture=meters.picture,
            )
        meters.watch(batcher, enlarger)
        yield
        for worker in (batcher, enlarger):
            if worker is not None:
                await asyncio.to_thread(worker.close)

    class Wanted(BaseModel):
        """What `POST /v1/samples` takes."""

        model_config = ConfigDict(extra="forbid", strict=True)
        n: Annotated[int, Field(ge=1, le=limits.samples), WHOLE] = Field(1, description="how many samples")
        label: str | None = Field(
            None, description="one of the model's labels; null for all in turn", examples=list(model.labels[:1])
        )
        seed: Annotated[int, Field(ge=0, le=LARGEST_SEED), WHOLE] | None = Field(
            None, description="the same seed gives the same samples; null: a new one"
        )
        truncation: Annotated[
            float | None, Field(gt=0, le=100, allow_inf_nan=False, description="cut the latent distribution off here")
        ] = None
        format: Annotated[Literal["png", "json", "zip"], Field(description="of the answer")] = "png"

    app = FastAPI(
        title=f"Ganvas: {name}",
        version=__version__,
        description="Samples of a generative adversarial network, and photos enlarged by one.",
        docs_url=None,  # FastAPI's pages load their scripts from another host
        redoc_url=None,
        lifespan=lifespan,
    )
    refusals: dict[int | str, dict[str, Any]] = {
        400: {"model": Problem, "description": "the body cannot be read"},
        401: {"model": Problem, "description": "the token is missing or wrong"},
        408: {"model": Problem, "description": "the request took too long to arrive"},
        413: {"model": Problem, "description": "the request is too large"},
        422: {"model": Problem, "description": "a value that cannot be"},
        429: {"model": Problem, "description": "too many are waiting; Retry-After says when to come again"},
        503: {"model": Problem, "description": "the answer took too long, or the server is stopping"},
    }
    pictures = {
        "description": "the samples; X-Ganvas-Seed says which seed they were drawn from",
        "content": {
            "image/png": {"schema": {"type": "string", "format": "binary"}},
            "application/zip": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {"type": "object"}},
        },
    }

    enlarged = {
        "description": "the enlarged picture",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in WRITTEN.values()},
    }

    async def samples(wanted: Wanted) -> Response:
        """Samples as one picture (a grid where n is above 1), as JSON, or as a zip of single pictures."""
        if wanted.label is not None and wanted.label not in model.labels:
            model.label_numbers(1, wanted.label)  # says what is wrong with it
        seed = int.from_bytes(os.urandom(4), "little") if wanted.seed is None else wanted.seed
        kind, encode = FORMATS[wanted.format]
        assert batcher is not None  # made when the application starts
        body = await _within(
            limits.seconds,
            batcher.submit(
                wanted.n, wanted.label, seed, wanted.truncation, lambda made, labels: encode(model, made, labels, seed)
            ),
        )
        meters.samples.inc(wanted.n)
        return Response(body, media_type=kind, headers={"X-Ganvas-Seed": str(seed)})

    async def upscale(
        image: Annotated[UploadFile, File(description=f"PNG, JPEG or WebP of at most {limits.pixels:,} pixels")],
        format: Annotated[Literal["png", "jpeg", "webp"], Form(description="of the answer")] = "png",
    ) -> Response:
        """A picture enlarged: gray, transparency (but in JPEG), EXIF and colour profile are kept."""
        assert enlarger is not None  # made when the application starts
        enlarger.check_room()
        content = await image.read()
        # Its header is read in another thread, so that a strange one keeps nobody waiting.
        future = await asyncio.to_thread(enlarger.submit, content, format)
        file = await _within(limits.picture_seconds, future)
        size = file.seek(0, os.SEEK_END)
        return StreamingResponse(_pieces(file), media_type=WRITTEN[format], headers={"content-length": str(size)})

    if not model.enlarges:
        app.post("/v1/samples", response_class=Response, responses={200: pictures, **refusals})(samples)
    if upscaler is not None:
        app.post("/v1/upscale", response_class=Response, responses={200: enlarged, **refusals})(upscale)

    @app.get("/v1/model", responses={401: refusals[401]})
    async def about() -> About:
        """What the model is, and what may be asked of it."""
        return About(
            name=name,
            recipe=recipe,
            step=model.step,
            space=None if model.enlarges else space_to_config(model.space),
            labels=list(model.labels),
            upscaler=enlarging,
            limits=asdict(limits),
            ganvas=__version__,
        )

    @app.get("/healthz", responses={503: {"model": Health}})
    async def health(response: Response) -> Health:
        """Whether the server takes requests; 503 once it is about to stop. Needs no token."""
        response.status_code = 503 if state.closing else 200
        return Health(status="closing" if state.closing else "ok")

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}, 401: refusals[401]})
    async def metrics() -> Response:
        """Counts and times for Prometheus."""
        return Response(meters.text(), media_type=meters.content_type)

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> Response:
        return Response(docs_page(app.openapi()), media_type="text/html; charset=utf-8")

    @app.exception_handler(UsageError)
    async def unusable(request: Request, error: UsageError) -> Response:
        return _refusal(422, str(error))

    @app.exception_handler(Full)
    async def full(request: Request, error: Full) -> Response:
        wait = max(1, math.ceil(error.wait))
        return _refusal(429, f"{error}; come again in {wait} s", {"Retry-After": str(wait)})

    @app.exception_handler(TimeoutError)
    async def too_late(request: Request, error: TimeoutError) -> Response:
        return _refusal(503, str(error), {"Retry-After": "10"})

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return _refusal(422, _told(error))

    @app.exception_handler(HTTPException)
    async def known(request: Request, error: HTTPException) -> Response:
        return _refusal(error.status_code, error.detail, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> Response:
        return _refusal(500, "the server failed; its log says more")

    app.add_middleware(
        Guard,
        token=token,
        most_bytes={"": limits.body, "/v1/upscale": limits.upload},
        most_held=limits.upload * (limits.pictures + 2),
        seconds=limits.seconds,
        closing=lambda: state.closing,
        seen=meters.request,
    )
    meters.paths = {getattr(route, "path", "") for route in app.routes}
    return app


async def _within(seconds: float, future: Future[Any]) -> Any:
    """The future's result. Raises TimeoutError, and then nobody works for it any more."""
    try:
        return await asyncio.wait_for(asyncio.wrap_future(future), seconds)
    except TimeoutError:
        raise TimeoutError(f"the answer was not there within {seconds:g} seconds") from None


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece


def _refusal(status: int, error: str, headers: dict[str, str] | None = None) -> Response:
    return Response(error_body(error), status, headers, media_type="application/json")


def _told(error: RequestValidationError) -> str:
    """The first of what is wrong, on one line, with none of the values that were sent."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    if first["type"] == "json_invalid":
        return "the body is not JSON"
    return f"{place or 'the body'}: {first['msg'][0].lower()}{first['msg'][1:]}"
