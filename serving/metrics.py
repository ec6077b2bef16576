"""What `/metrics` tells Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from lvm_gates.serving.messages import Served

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The series of one server; a registry of its own, so that two servers in a process do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ["route", "status"]
        self.requests = Counter("lvm_requests", "Requests answered.", labels, registry=self.registry)
        self.seconds = Histogram(
            "lvm_request_seconds", "From the head of a request to its answer.", ["route"], buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.part_seconds = Histogram(
            "lvm_part_seconds", "Of the encoder and of the model, by request.", ["part"], buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.batch = Histogram(
            "lvm_batch_contexts", "Contexts predicted together.", buckets=_SIZES, registry=self.registry
        )
        self.running = Gauge("lvm_requests_running", "Requests being worked on.", registry=self.registry)
        self.far = Counter("lvm_far_texts", "Texts refused as far from the corpus.", registry=self.registry)
        self.released = Gauge(
            "lvm_model_released", "1 if the served model is released.", ["sha256", "verdict"], registry=self.registry
        )
        self.reloads = Counter("lvm_reloads", "Looks at a changed model.", ["outcome"], registry=self.registry)
        self.bank_recall = Gauge("lvm_bank_recall", "Of the nearest chunks, measured at start.", registry=self.registry)

    def serves(self, model: Served) -> None:
        """Another model answers from now on."""
        self.released.clear()
        self.released.labels(model.sha256 or "", model.verdict).set(float(model.released))

    def text(self) -> bytes:
        """In Prometheus's own format."""
        return generate_latest(self.registry)
