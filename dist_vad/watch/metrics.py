"""What the service counts, for Prometheus."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dist_vad.watch.service import Service
from dist_vad.watch.watched import Watched

Value = Callable[[Watched], float]
COUNTERS: dict[str, tuple[str, Value]] = {
    "frames": ("Frames that were seen", lambda watched: watched.camera.frames),
    "frames_scored": ("Frames that were scored", lambda watched: watched.scored),
    "frames_unscored": ("Frames left unscored for want of time", lambda watched: watched.camera.left_out),
    "frames_dropped": ("Frames dropped before they were seen", lambda watched: watched.camera.lost),
    "packets_damaged": ("Packets that did not decode", lambda watched: watched.camera.damaged),
    "connections": ("Times that the camera was connected", lambda watched: watched.camera.connections),
    "events": ("Events that began", lambda watched: watched.events),
}
GAUGES: dict[str, tuple[str, Value]] = {
    "up": ("1 while the camera is connected", lambda watched: watched.camera.status == "connected"),
    "fps": ("Frames a second", lambda watched: watched.camera.fps),
    "score": ("Calibrated anomaly score", lambda watched: watched.view.score if watched.view else float("nan")),
    "threshold": ("Threshold of events", lambda watched: watched.threshold.value),
    "event": ("1 while an event goes on", lambda watched: watched.event is not None),
}


class ServiceCollector(Collector):
    """Reads a service whenever it is asked."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        cameras = self._service.watched
        for name, (text, value) in COUNTERS.items():
            counter = CounterMetricFamily(f"dist_vad_camera_{name}", text, labels=["camera"])
            for camera, watched in cameras.items():
                counter.add_metric([camera], float(value(watched)))
            yield counter
        for name, (text, value) in GAUGES.items():
            gauge = GaugeMetricFamily(f"dist_vad_camera_{name}", text, labels=["camera"])
            for camera, watched in cameras.items():
                gauge.add_metric([camera], float(value(watched)))
            yield gauge
        text = "From the arrival of the last frame that a score needs to the event line, quantiles of late"
        latency = GaugeMetricFamily("dist_vad_camera_latency_seconds", text, labels=["camera", "quantile"])
        for camera, watched in cameras.items():
            facts = watched.latency.facts()
            for quantile, key in (("0.5", "p50_ms"), ("0.95", "p95_ms")):
                if key in facts:
                    latency.add_metric([camera, quantile], facts[key] / 1000)
        yield latency
        lines = CounterMetricFamily("dist_vad_sink_lines", "Event lines", labels=["sink", "fate"])
        for sink in self._service.sinks:
            for fate in ("delivered", "failed", "dropped"):
                lines.add_metric([sink.name, fate], getattr(sink, fate))
        yield lines
        yield GaugeMetricFamily("dist_vad_start_time_seconds", "When the service started", self._service.started)


def registry(service: Service) -> CollectorRegistry:
    """All metrics of a service and of its process."""
    own = CollectorRegistry()
    own.register(ServiceCollector(service))
    ProcessCollector(registry=own)
    return own
