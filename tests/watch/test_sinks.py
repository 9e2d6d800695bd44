"""Sinks against what they talk to: a web server, a broker, a program; a slow or dead one holds up nobody."""

import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from watching import until

from dist_vad.base.errors import InputError
from dist_vad.base.text.redact import redacted
from dist_vad.settings.watch import MqttSettings, SinkSettings, WebhookSettings
from dist_vad.watch import sinks
from dist_vad.watch.sinks import ExecSink, MqttSink, Sink, WebhookSink, make_sinks

LINE = json.dumps({"type": "begin", "camera": "door", "score": 3.0})


@pytest.fixture
def server():
    """A web server that fails as often as it is told to, and notes what it was sent."""

    class Noting(HTTPServer):
        failures = 0
        received: list

    class Handler(BaseHTTPRequestHandler):
        server: Noting  # pyright: ignore[reportIncompatibleVariableOverride]

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.server.failures > 0:
                self.server.failures -= 1
                self.send_error(503)
                return
            self.server.received.append((self.headers, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    made = Noting(("127.0.0.1", 0), Handler)
    made.received = []
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def test_a_webhook_gets_every_line_in_order_also_after_the_server_failed(server, monkeypatch):
    monkeypatch.setenv("HOOK_TOKEN", "planted-token")
    server.failures = 2
    headers = {"Authorization": "Bearer ${HOOK_TOKEN}"}
    sink = WebhookSink(WebhookSettings(url=f"http://127.0.0.1:{server.server_address[1]}/hook", headers=headers))
    for number in range(3):
        sink.offer(json.dumps({"number": number}))
    until(lambda: sink.delivered == 3)
    sink.stop()
    assert [json.loads(body)["number"] for _, body in server.received] == [0, 1, 2]
    assert server.received[0][0]["Authorization"] == "Bearer planted-token"
    assert redacted("Bearer planted-token") == "Bearer ***"


def test_a_program_finds_the_line_on_its_standard_input(tmp_path):
    sink = ExecSink(["sh", "-c", f"cat >> {tmp_path}/told"])
    sink.offer(LINE)
    until(lambda: sink.delivered == 1)
    sink.stop()
    assert json.loads((tmp_path / "told").read_text()) == json.loads(LINE)


def test_a_sink_that_never_answers_drops_the_oldest_lines_and_holds_up_nobody(monkeypatch):
    monkeypatch.setattr(sinks, "MOST_WAITING", 5)
    monkeypatch.setattr(sinks, "PATIENCE", 0.2)
    waiting, told = threading.Event(), []

    class Stuck(Sink):
        name = "stuck"

        def deliver(self, text):
            waiting.wait()
            told.append(text)

    sink = Stuck()
    for number in range(20):
        sink.offer(str(number))
    assert sink.dropped >= 14
    waiting.set()
    until(lambda: told and told[-1] == "19")


def test_a_program_that_fails_is_counted(monkeypatch):
    monkeypatch.setattr(sinks.time, "sleep", lambda seconds: None)
    sink = ExecSink(["false"])
    sink.offer(LINE)
    until(lambda: sink.failed == 1)
    sink.stop()


def test_what_is_no_address_is_refused():
    with pytest.raises(InputError, match="allowed: http:// or https://"):
        make_sinks(SinkSettings(stdout=False, webhook=WebhookSettings(url="file:///etc/passwd")))


@pytest.fixture
def mosquitto(tmp_path):
    """A Mosquitto that asks for a password: its port, and its process."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("needs a broker: mosquitto is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "door", "planted-password"], check=True)
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\npassword_file {passwords}\nuser root\n")
    process = subprocess.Popen([program, "-c", str(configuration)], stderr=subprocess.DEVNULL)
    until(lambda: _answers(port))
    yield port, process
    process.terminate()
    process.wait()


@pytest.fixture
def broker(mosquitto) -> int:
    """The port of a broker."""
    return mosquitto[0]


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def listening(port: int) -> tuple[Any, list[tuple[str, bytes]]]:
    """A client that has subscribed, and the (topic, content) of what it gets."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    got, subscribed = [], threading.Event()
    listener = Client(CallbackAPIVersion.VERSION2)
    listener.username_pw_set("door", "planted-password")
    listener.on_message = lambda client, data, message: got.append((message.topic, message.payload))
    listener.on_connect = lambda client, *rest: client.subscribe("home/#", qos=1) and None  # pyright: ignore
    listener.on_subscribe = lambda *rest: subscribed.set()
    listener.connect("127.0.0.1", port)
    listener.loop_start()
    assert subscribed.wait(30)
    return listener, got


def mqtt_settings(port: int) -> MqttSettings:
    """Of a camera's lines to a broker here."""
    return MqttSettings(host="127.0.0.1", port=port, topic="home/vad/", user="door", password="${MQTT_PASSWORD}")


def test_lines_that_wait_for_a_broker_arrive_once_each(mosquitto, monkeypatch):
    monkeypatch.setenv("MQTT_PASSWORD", "planted-password")
    port, process = mosquitto
    listener, got = listening(port)
    process.send_signal(signal.SIGSTOP)
    sink = MqttSink(mqtt_settings(port))
    for _ in range(3):
        sink.offer(LINE)
    time.sleep(2)
    process.send_signal(signal.SIGCONT)
    until(lambda: sink.delivered == 3)
    sink.stop()
    until(lambda: len(got) >= 3)
    listener.loop_stop()
    assert got == [("home/vad/door", LINE.encode())] * 3 and sink.failed == 0


def test_a_broker_passes_every_line_on_under_the_camera_s_topic(broker, monkeypatch):
    monkeypatch.setenv("MQTT_PASSWORD", "planted-password")
    listener, got = listening(broker)
    sink = MqttSink(mqtt_settings(broker))
    for _ in range(3):
        sink.offer(LINE)
    until(lambda: len(got) == 3)
    sink.stop()
    listener.loop_stop()
    assert got == [("home/vad/door", LINE.encode())] * 3 and sink.delivered == 3
