"""The HTTP interface of one model and one upscaler: their routes, their limits, and what each refuses.

What may be given follows from the inputs that the model declares: a field of `/v1/samples` for each that is text or
numbers, and a file or a field of `/v1/transform` where something must be given. Where something is drawn that can be
searched, there are `/v1/invert` and `/v1/edit` too.

This module postpones no annotations: FastAPI reads them, and the limits in them are those of the server that is made.
"""

import asyncio
import inspect
import math
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from fastapi import FastAPI, File, Form, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model
from starlette.exceptions import HTTPException

from ganvas.errors import UsageError, near_miss
from ganvas.inputs import Input, inputs_to_json
from ganvas.model import Model, takes_photos
from ganvas.spaces import space_to_config
from ganvas.upscaling import Upscaler
from ganvas.version import __version__
from ganvas.web.guard import Hosts, error_body
from ganvas.web.http.batching import Batcher, Full
from ganvas.web.http.docs_page import docs_page
from ganvas.web.http.encoding import FORMATS
from ganvas.web.http.enlarger import WRITTEN, Enlarger
from ganvas.web.http.fair_lock import FairLock
from ganvas.web.http.guard import Guard
from ganvas.web.http.inverter import Inverter, invertible
from ganvas.web.http.prometheus import Meters
from ganvas.web.http.transformer import SIZES, Transformer
from ganvas.web.http.try_page import try_page
from ganvas.web.http.uploads import Uploads
from ganvas.web.server import CONNECTIONS, State

LARGEST_SEED = 2**53 - 1
"""What every JSON reader keeps exactly."""

PIECE = 1 << 18
"""Bytes of a file that are sent at a time."""

UPLOADS = ("/v1/upscale", "/v1/transform", "/v1/invert", "/v1/edit")
"""Paths where a body may be as large as a picture."""

INVERSION = 5.0
"""Seconds of an inversion where nobody says how many."""

BINARY = {"type": "string", "format": "binary"}
TRUNCATION = "0 to 1: nearer to the average sample, with less variety"

MOST_NAMES = 100
"""Inputs, or changes of them, in one request."""

Name = Annotated[str, Field(max_length=200)]

WHOLE = BeforeValidator(lambda value: int(value) if isinstance(value, float) and value.is_integer() else value)
"""Lets 3.0 be a whole number, which in JSON it is."""


@dataclass(frozen=True)
class Limits:
    """samples: in one request. waiting: samples in the queue, beyond which the answer is 429. batch: samples in one run
    of the network; 1 turns batching off. seconds: to send a request, and to wait for samples. body: bytes of a request.
    upload: bytes of one that holds a picture. pixels: of that picture. pictures: in the queue, that in work included.
    picture_seconds: to wait for the enlarged one. inversion_seconds: that the inversion of a picture takes at most.
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
    inversion_seconds: float = 20.0


class Problem(BaseModel):
    """What every refusal looks like."""

    error: str = Field(description="what is wrong, where, and what to do, on one line")


class AboutUpscaler(BaseModel):
    """What enlarges pictures."""

    name: str
    scale: int
    style: str | float | None


class About(BaseModel):
    """What is served. space: of its samples, null where they are as large as what is sent. inputs: what it makes them
    of. upscaler: null where there is none."""

    name: str
    recipe: str
    step: int
    space: dict[str, Any] | None
    inputs: list[dict[str, Any]]
    labels: list[str]
    upscaler: AboutUpscaler | None
    limits: dict[str, float]
    ganvas: str


class Found(BaseModel):
    """What an inversion found."""

    told: str = Field(description="how far it is off, on one line")
    measure: str = Field(description="what the distances are measured by")
    scores: dict[str, float] = Field(description="psnr, error and distance, and those of the nearest draw")
    draws: int = Field(description="samples that it began with")
    steps: int = Field(description="updates of the inputs")
    seed: int
    sample: dict[str, Any] = Field(description="what is made of the inputs: its file in base64")
    inputs: dict[str, Any] = Field(description="numbers by the name of the input, for `POST /v1/edit`")
    classes: dict[str, str] = Field(description="names of the classes among them")


class Edit(BaseModel):
    """What `POST /v1/edit` takes."""

    model_config = ConfigDict(extra="forbid", strict=True)
    inputs: dict[Name, Any] = Field(description="all of them, as `POST /v1/invert` gave them", max_length=MOST_NAMES)
    set: dict[Name, Any] = Field(
        {},
        max_length=MOST_NAMES,
        description='changes by name, as `ganvas edit --set` takes them: {"direction2": -3, "label": "7"}',
    )


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
    hosts: Hosts | None = None,
    most_requests: int = CONNECTIONS,
    state: State | None = None,
) -> FastAPI:
    """The application that serves `model`; uvicorn or any ASGI server runs it. name, recipe: what `/v1/model` says.
    hosts: by what it may be called where there is no token. most_requests: worked on at once, beyond which the answer
    is 503.

    upscaler: what `POST /v1/upscale` enlarges with; without one there is no such route. A model that must be given
    files has `POST /v1/transform` in place of `POST /v1/samples`. One that draws what can be searched has `POST
    /v1/invert` and `POST /v1/edit`.
    """
    if model.space.demanding:
        raise UsageError(
            f"not all {model.space.noun} that {name} makes meet what is demanded of them, and a server answers with "
            "all: take ganvas sample, or train without --constraint"
        )
    limits, state = limits or Limits(), state or State()
    meters = Meters()
    enlarging = None
    if upscaler is not None:
        # A run is told by its last name alone: where it lies is this machine's business.
        name_of = Path(upscaler.model.name).name
        enlarging = AboutUpscaler(name=name_of, scale=upscaler.scale, style=upscaler.style)
    files = {each for each, given in model.given.items() if given.file}
    photos, inverts = takes_photos(model), invertible(model)
    batcher: Batcher | None = None
    enlarger: Enlarger | None = None
    transformer: Transformer | None = None
    inverter: Inverter | None = None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nonlocal batcher, enlarger, transformer, inverter
        turns = FairLock()
        uploads = Uploads(most_waiting=limits.pictures, turns=turns)
        if files:
            transformer = Transformer(model, uploads, most_pixels=limits.pixels, on_done=meters.transformed)
        else:
            batcher = Batcher(
                model, slots=limits.batch, most_waiting=limits.waiting, turns=turns, on_batch=meters.batch
            )
        if inverts:
            inverter = Inverter(model, uploads, most_pixels=limits.pixels, on_done=meters.inverted)
        if upscaler is not None:
            enlarger = Enlarger(upscaler, uploads, most_pixels=limits.pixels, on_picture=meters.picture)
        meters.watch(batcher, uploads)
        yield
        for worker in (batcher, uploads):
            if worker is not None:
                await asyncio.to_thread(worker.close)

    class Asked(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)
        n: Annotated[int, Field(ge=1, le=limits.samples), WHOLE] = Field(1, description="how many samples")
        seed: Annotated[int, Field(ge=0, le=LARGEST_SEED), WHOLE] | None = Field(
            None, description="the same seed gives the same samples; null: a new one"
        )
        truncation: Annotated[
            float | None, Field(ge=0, le=1, allow_inf_nan=False, description=f"{TRUNCATION}; 1: as drawn")
        ] = None
        format: Annotated[Literal["png", "json", "zip"], Field(description="of the answer")] = "png"

    fields = {each: f"input_{number}" for number, each in enumerate(_told_by_people(model.inputs))}
    definitions: dict[str, Any] = {
        field: (Any, Field(None, alias=each, json_schema_extra=model.inputs[each].schema()))
        for each, field in fields.items()
    }
    told = "What `POST /v1/samples` takes."
    Wanted = create_model("Wanted", __base__=Asked, __doc__=told, **definitions)

    app = FastAPI(
        title=f"Ganvas: {name}",
        version=__version__,
        description="Samples of a generative adversarial network, and pictures changed or enlarged by one.",
        docs_url=None,  # FastAPI's pages load their scripts from another host
        redoc_url=None,
        lifespan=lifespan,
    )
    refusals: dict[int | str, dict[str, Any]] = {
        400: {"model": Problem, "description": "the body cannot be read"},
        401: {"model": Problem, "description": "the token is missing or wrong"},
        403: {"model": Problem, "description": "another web page asks, or by a name that is not this server's"},
        408: {"model": Problem, "description": "the request took too long to arrive"},
        413: {"model": Problem, "description": "the request is too large"},
        422: {"model": Problem, "description": "a value that cannot be"},
        429: {"model": Problem, "description": "too many are waiting; Retry-After says when to come again"},
        503: {"model": Problem, "description": "not made in time; Retry-After says when to come again"},
    }
    pictures = {
        "description": "the samples; X-Ganvas-Seed says which seed they were drawn from",
        "content": {
            "image/png": {"schema": BINARY},
            "application/zip": {"schema": BINARY},
            "application/json": {"schema": {"type": "object"}},
        },
    }

    enlarged = {
        "description": "the enlarged picture",
        "content": {kind: {"schema": BINARY} for kind in WRITTEN.values()},
    }

    async def samples(wanted: Wanted) -> Response:  # type: ignore[valid-type]
        """Samples as one picture (a grid where n is above 1), as JSON, or as a zip of single pictures."""
        asked: Any = wanted
        values = model.checked(
            asked.n, {each: getattr(asked, field) for each, field in fields.items()}, asked.truncation
        )
        seed = _seed() if asked.seed is None else asked.seed
        kind, encode = FORMATS[asked.format]
        assert batcher is not None  # made when the application starts
        body = await _within(
            limits.seconds,
            batcher.submit(
                asked.n, values, seed, asked.truncation, lambda made, classes: encode(model, made, classes, seed)
            ),
        )
        meters.samples.inc(asked.n)
        return Response(body, media_type=kind, headers={"X-Ganvas-Seed": str(seed)})

    async def transform(request: Request, **fields: Any) -> Response:
        assert transformer is not None  # made when the application starts
        await _check_fields(request, fields)
        transformer.uploads.check_room()
        seed = _seed() if fields["seed"] is None else fields["seed"]
        given = {name: value for name, value in fields.items() if name in model.inputs and value is not None}
        given |= {name: await value.read() for name, value in given.items() if name in files}
        # Headers are read in another thread, so that a strange one keeps nobody waiting.
        chosen = {name: fields[name] for name in ("format", "size") if photos}
        future = await asyncio.to_thread(transformer.submit, given, seed, fields["truncation"], **chosen)
        file = await _within(limits.picture_seconds, future)
        kind = WRITTEN[chosen["format"]] if photos else model.space.media_type
        return _sent(file, kind, {"X-Ganvas-Seed": str(seed)})

    kept = " It is upright; transparency (but in JPEG), EXIF and colour profile are kept." if photos else ""
    transform.__doc__ = (
        f"What the model makes of {' and '.join(sorted(files))}: a file.{kept} "
        f"Such as: curl -o made{model.space.suffix} "
        + " ".join(f"-F {each}=@FILE" for each in sorted(files))
        + " http://ADDRESS/v1/transform"
    )
    transform.__signature__ = _form(model.inputs, photos)  # type: ignore[attr-defined]

    async def invert(request: Request, **fields: Any) -> Response:
        assert inverter is not None  # made when the application starts
        await _check_fields(request, fields)
        inverter.uploads.check_room()
        seed = _seed() if fields["seed"] is None else fields["seed"]
        known = {name: value for name, value in fields.items() if name in model.inputs and value is not None}
        content = await fields["file"].read()
        future = await asyncio.to_thread(inverter.submit, content, fields["seconds"], seed, known)
        return _sent(await _within(limits.picture_seconds, future), "application/json", {"X-Ganvas-Seed": str(seed)})

    invert.__doc__ = (
        "What the model would make a file of yours of, as far as it can: how far it is off, what is made of that, and "
        f"its numbers, for `POST /v1/edit`. Such as: curl -F file=@mine{model.space.suffix} http://ADDRESS/v1/invert"
    )
    invert.__signature__ = _signature(_of_inversion(model, limits))  # type: ignore[attr-defined]

    async def edit(wanted: Edit) -> Response:
        """What `POST /v1/invert` found, with changes: a file."""
        assert inverter is not None  # made when the application starts
        future = await asyncio.to_thread(inverter.edit, wanted.inputs, wanted.set)
        return _sent(await _within(limits.picture_seconds, future), model.space.media_type, {})

    async def upscale(
        image: Annotated[UploadFile, File(description=f"PNG, JPEG or WebP of at most {limits.pixels:,} pixels")],
        format: Annotated[Literal["png", "jpeg", "webp"], Form(description="of the answer")] = "png",
    ) -> Response:
        """A picture enlarged: gray, transparency (but in JPEG), EXIF and colour profile are kept."""
        assert enlarger is not None  # made when the application starts
        enlarger.uploads.check_room()
        content = await image.read()
        # Its header is read in another thread, so that a strange one keeps nobody waiting.
        future = await asyncio.to_thread(enlarger.submit, content, format)
        file = await _within(limits.picture_seconds, future)
        return _sent(file, WRITTEN[format], {})

    if files:
        types = WRITTEN.values() if photos else [model.space.media_type]
        made = {"description": "what was made", "content": {kind: {"schema": BINARY} for kind in types}}
        app.post("/v1/transform", response_class=Response, responses={200: made, **refusals})(transform)
    else:
        app.post("/v1/samples", response_class=Response, responses={200: pictures, **refusals})(samples)
    if inverts:
        found = {"model": Found, "description": "what was found"}
        app.post("/v1/invert", response_class=Response, responses={200: found, **refusals})(invert)
        again = {"description": "what was made", "content": {model.space.media_type: {"schema": BINARY}}}
        app.post("/v1/edit", response_class=Response, responses={200: again, **refusals})(edit)
    if upscaler is not None:
        app.post("/v1/upscale", response_class=Response, responses={200: enlarged, **refusals})(upscale)

    @app.get("/v1/model", responses={401: refusals[401]})
    async def about() -> About:
        """What the model is, and what may be asked of it."""
        return About(
            name=name,
            recipe=recipe,
            step=model.step,
            space=None if model.any_size else space_to_config(model.space),
            inputs=inputs_to_json(model.inputs),
            labels=list(model.labels),
            upscaler=enlarging,
            limits=asdict(limits),
            ganvas=__version__,
        )

    @app.get("/healthz", responses={503: {"model": Health}})
    async def health(response: Response) -> Health:
        """Whether the server takes requests; 503 once it is about to stop. Needs no token."""
        if state.closing:
            response.status_code = 503
            response.headers["Retry-After"] = "10"
        return Health(status="closing" if state.closing else "ok")

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}, 401: refusals[401]})
    async def metrics() -> Response:
        """Counts and times for Prometheus."""
        return Response(meters.text(), media_type=meters.content_type)

    page, policy = try_page(model, name=name, recipe=recipe, enlarges=upscaler is not None, most_samples=limits.samples)

    @app.get("/", include_in_schema=False)
    async def front() -> Response:
        return HTMLResponse(page, headers={"content-security-policy": policy, "referrer-policy": "no-referrer"})

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
        hosts=hosts or Hosts(),
        most_bytes={"": limits.body, **dict.fromkeys(UPLOADS, limits.upload)},
        most_held=limits.upload * (limits.pictures + 2),
        most_requests=most_requests,
        seconds=limits.seconds,
        closing=lambda: state.closing,
        seen=meters.request,
    )
    meters.paths = {getattr(route, "path", "") for route in app.routes}
    return app


def _told_by_people(inputs: Mapping[str, Input]) -> list[str]:
    """The inputs whose value can stand in JSON or in a field of text."""
    return [name for name, each in inputs.items() if each.admits() and not each.file]


def _form(inputs: Mapping[str, Input], photos: bool) -> inspect.Signature:
    """What `POST /v1/transform` takes: a request with a part for each input that people can give. photos: whether it
    makes photos of photos."""
    parts: dict[str, tuple[Any, Any]] = {
        name: (Annotated[UploadFile, File(description=each.admits())], inspect.Parameter.empty)
        for name, each in inputs.items()
        if each.file
    }
    parts |= _fields(inputs)
    parts["seed"] = (Annotated[int | None, Form(ge=0, le=LARGEST_SEED, description="of what is drawn")], None)
    parts["truncation"] = (Annotated[float | None, Form(ge=0, le=1, description=TRUNCATION)], None)
    if photos:
        told = "; ".join(f"{size}: {meaning}" for size, meaning in SIZES.items())
        parts["format"] = (Annotated[Literal["png", "jpeg", "webp"], Form(description="of the answer")], "png")
        parts["size"] = (Annotated[Literal["photo", "training", "own"], Form(description=told)], "photo")
    return _signature(parts)


def _of_inversion(model: Model, limits: Limits) -> dict[str, tuple[Any, Any]]:
    """The parts of a request to `POST /v1/invert`."""
    most = limits.inversion_seconds
    own = f"{model.space}; of at most {limits.pixels:,} pixels, or whatever it is made of"
    seconds = Form(gt=0, le=most, allow_inf_nan=False, description="how long it may search, all included")
    return {
        "file": (Annotated[UploadFile, File(description=own)], inspect.Parameter.empty),
        **_fields(model.inputs),
        "seconds": (Annotated[float, seconds], min(INVERSION, most)),
        "seed": (Annotated[int | None, Form(ge=0, le=LARGEST_SEED, description="of the draws")], None),
    }


def _fields(inputs: Mapping[str, Input]) -> dict[str, tuple[Any, Any]]:
    return {
        name: (Annotated[str | None, Form(description=inputs[name].schema()["description"])], None)
        for name in _told_by_people(inputs)
    }


async def _check_fields(request: Request, known: Mapping[str, Any]) -> None:
    """Raises UsageError for a field that there is not."""
    for name in await request.form():
        if name not in known:
            raise UsageError(f"there is no field {name[:80]!r}{near_miss(name[:80], known)}")


def _signature(parts: Mapping[str, tuple[Any, Any]]) -> inspect.Signature:
    """Of a route that takes the request and these parts of a form: the annotation and the default of each."""
    request = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [request, *(inspect.Parameter(k, keyword, annotation=a, default=d) for k, (a, d) in parts.items())]
    )


def _seed() -> int:
    return int.from_bytes(os.urandom(4), "little")


async def _within(seconds: float, future: Future[Any]) -> Any:
    """The future's result. Raises TimeoutError, and then nobody works for it any more."""
    try:
        return await asyncio.wait_for(asyncio.wrap_future(future), seconds)
    except TimeoutError:
        raise TimeoutError(f"the answer was not there within {seconds:g} seconds") from None


def _sent(file: IO[bytes], media_type: str, headers: dict[str, str]) -> Response:
    """The file, in pieces; it is closed behind the last one."""
    size = file.seek(0, os.SEEK_END)
    return StreamingResponse(_pieces(file), media_type=media_type, headers={**headers, "content-length": str(size)})


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
