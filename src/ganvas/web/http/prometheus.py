"""What the server counts, as Prometheus reads it."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ganvas.web.http.batching import Batcher
from ganvas.web.http.uploads import Uploads

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Meters:
    """Counts of one application. paths: those that are counted by name; all others are one, since there is no end of
    paths that could be asked for."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.paths: set[str] = set()
        self.requests = Counter("ganvas_requests", "requests answered", ["path", "status"], registry=self.registry)
        self.seconds = Histogram(
            "ganvas_request_seconds",
            "from a request's head to its answer",
            ["path"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.samples = Counter("ganvas_samples", "samples given", registry=self.registry)
        self.batch_samples = Histogram(
            "ganvas_batch_samples",
            "samples in one run of the network",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self.batch_seconds = Histogram(
            "ganvas_batch_seconds", "of one run of the network", buckets=SECONDS, registry=self.registry
        )
        self.waiting = Gauge("ganvas_waiting_samples", "samples in the queue", registry=self.registry)
        self.pictures = Counter("ganvas_pictures", "pictures enlarged", registry=self.registry)
        self.pixels = Counter("ganvas_enlarged_pixels", "pixels of the enlarged pictures", registry=self.registry)
        self.picture_seconds = Histogram(
            "ganvas_picture_seconds", "of enlarging one picture", buckets=(*SECONDS, 60, 120), registry=self.registry
        )
        self.transforms = Counter("ganvas_transforms", "files changed", registry=self.registry)
        self.transform_seconds = Histogram(
            "ganvas_transform_seconds", "of changing one file", buckets=(*SECONDS, 60, 120), registry=self.registry
        )
        self.inversions = Counter("ganvas_inversions", "files inverted", registry=self.registry)
        self.inversion_seconds = Histogram(
            "ganvas_inversion_seconds", "of inverting one file", buckets=SECONDS, registry=self.registry
        )
        self.waiting_pictures = Gauge(
            "ganvas_waiting_pictures", "pictures in the queue, that in work included", registry=self.registry
        )

    def watch(self, batcher: Batcher | None, uploads: Uploads) -> None:
        if batcher is not None:
            self.waiting.set_function(lambda: batcher.waiting)
        self.waiting_pictures.set_function(lambda: uploads.waiting)

    def request(self, path: str, status: int, seconds: float) -> None:
        known = path if path in self.paths else "other"
        self.requests.labels(known, str(status)).inc()
        self.seconds.labels(known).observe(seconds)

    def batch(self, used: int, seconds: float) -> None:
        self.batch_samples.observe(used)
        self.batch_seconds.observe(seconds)

    def picture(self, pixels: int, seconds: float) -> None:
        self.pictures.inc()
        self.pixels.inc(pixels)
        self.picture_seconds.observe(seconds)

    def transformed(self, seconds: float) -> None:
        self.transforms.inc()
        self.transform_seconds.observe(seconds)

    def inverted(self, seconds: float) -> None:
        self.inversions.inc()
        self.inversion_seconds.observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self.registry)
