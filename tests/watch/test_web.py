"""The page: who may see it, what it says, what it takes; /metrics and /healthz."""

import json
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families
from watching import red_judge, watch_settings
from werkzeug.test import Client

from dist_vad.base.errors import InputError
from dist_vad.base.times import iso_time
from dist_vad.settings.watch import PageSettings
from dist_vad.watch.service import Service
from dist_vad.watch.web import Page

TOKEN = "a-token-of-some-length"
LOCAL = {"base_url": "http://127.0.0.1:8765"}


@pytest.fixture
def made(tmp_path):
    """Services and pages that are stopped at the end."""
    services = []

    def make(**page) -> tuple[Service, Page]:
        settings = watch_settings(tmp_path, {"door": "nowhere.avi"}, page=PageSettings(**{"port": 0, **page}))
        services.append(Service(settings, {"door": red_judge()}))
        return services[-1], Page(services[-1])

    yield make
    for service in services:
        service.stop()


def event(service: Service, name: str = "door-1", kind: str = "end", score: float = 3.0) -> dict:
    now = time.time()
    path = service.journal.media(name, now, "jpg")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"picture")
    path.with_suffix(".npz").write_bytes(b"cubes")
    line = {
        "type": kind, "id": name, "camera": "door", "time": iso_time(now), "begin": iso_time(now), "score": score,
        "threshold": 2.0, "snapshot": service.journal.relative(path), "clip": f"media/{name}.mp4",
    }  # fmt: skip
    service.tell(line)
    return line


def test_on_the_loopback_address_the_page_needs_no_token_but_its_own_name(made):
    _, page = made()
    client = Client(page)
    assert client.get("/", **LOCAL).status_code == 200
    assert client.get("/api/state", base_url="http://localhost:8765").status_code == 200
    assert client.get("/api/state", base_url="http://rebound.example:8765").status_code == 403


def test_elsewhere_everything_but_healthz_and_the_login_needs_the_token(made):
    service, page = made(host="0.0.0.0", token=TOKEN)
    line, client = event(service), Client(page)
    media = f"/media/{line['snapshot']}"
    for path in ("/api/state", "/metrics", media, "/api/cameras/door/picture.jpg"):
        assert client.get(path).status_code == 401, path
        assert client.get(path, headers={"Authorization": "Bearer wrong-token-of-that-length"}).status_code == 401
    assert client.get("/").status_code == 302 and client.get("/healthz").status_code in (200, 503)
    assert client.post("/api/events/door-1/answer", json={"answer": "seen"}).status_code == 401
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get("/api/state", headers=right).status_code == 200
    assert client.get(media, headers=right).data == b"picture"


def test_the_right_token_opens_the_page_and_the_wrong_one_does_not(made, monkeypatch):
    monkeypatch.setattr("dist_vad.watch.web.time.sleep", lambda seconds: None)
    _, page = made(host="0.0.0.0", token=TOKEN)
    client = Client(page)
    assert client.post("/login", data={"token": "wrong"}).headers["Location"].endswith("login")
    assert client.get("/api/state").status_code == 401
    given = client.post("/login", data={"token": TOKEN})
    assert "HttpOnly" in given.headers["Set-Cookie"] and "SameSite=Strict" in given.headers["Set-Cookie"]
    assert client.get("/api/state").status_code == 200


def test_an_open_address_without_a_token_is_refused():
    with pytest.raises(ValueError, match=r"page.token is None; allowed: a token where page.host is '0.0.0.0'"):
        PageSettings(host="0.0.0.0")
    with pytest.raises(ValueError, match="16 characters"):
        PageSettings(token="short")


def test_a_token_of_the_environment_must_be_there(made, monkeypatch):
    monkeypatch.delenv("PAGE_TOKEN", raising=False)
    with pytest.raises(InputError, match=r"page.token asks for \$\{PAGE_TOKEN\}"):
        made(token="${PAGE_TOKEN}")


@pytest.mark.parametrize(
    "path", ["../events/x.jsonl", "media/../.lock", "media/x/../../alive", "/etc/passwd", "media/door-1.npz", ".lock"]
)
def test_nothing_but_snapshots_and_clips_is_given_away(made, path):
    service, page = made()
    event(service)
    assert Client(page).get(f"/media/{path}", **LOCAL).status_code in (403, 404, 308, 301)


def test_a_form_of_another_site_cannot_answer(made):
    service, page = made()
    event(service)
    told = Client(page).post("/api/events/door-1/answer", data='{"answer": "seen"}', content_type="text/plain", **LOCAL)
    assert told.status_code == 415 and not service.answers.of


def test_answers_put_the_cubes_into_the_validation_set_and_the_last_one_counts(made, tmp_path):
    service, page = made()
    client = Client(page)
    for name, score in (("door-1", 3.0), ("door-2", 5.0), ("door-3", 2.5)):
        event(service, name, score=score)
    for name, answer in (("door-1", "anomaly"), ("door-1", "false_alarm"), ("door-2", "anomaly"), ("door-3", "seen")):
        assert client.post(f"/api/events/{name}/answer", json={"answer": answer}, **LOCAL).status_code == 200
    kept = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "validation").rglob("*.npz"))
    assert kept == ["validation/anomaly/door-2.npz", "validation/false_alarm/door-1.npz"]
    assert json.loads((tmp_path / "validation/anomaly/door-2.json").read_text())["label"] == 1
    state = client.get("/api/state", **LOCAL).json or {}
    assert state["judged"] == {
        "false_alarms": 1, "anomalies": 1, "lowest_anomaly": 5.0, "false_alarms_below_it": 1
    }  # fmt: skip
    assert {row["id"]: row["answer"] for row in state["events"]} == service.answers.of


def test_answers_survive_a_restart_and_a_torn_last_line(made, tmp_path):
    service, page = made()
    event(service)
    Client(page).post("/api/events/door-1/answer", json={"answer": "false_alarm"}, **LOCAL)
    with (tmp_path / "answers.jsonl").open("ab") as file:
        file.write(b'{"time": "2026')
    from dist_vad.watch.answers import Answers

    assert Answers(tmp_path).of == {"door-1": "false_alarm"}


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("door-9", {"answer": "seen"}, 404), ("door-1", {"answer": "perhaps"}, 400), ("door-1", {}, 400),
        ("door-1", [], 400), ("open", {"answer": "anomaly"}, 409), ("open", {"answer": "seen"}, 200),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(made, name, body, status):
    service, page = made()
    event(service)
    event(service, "open", kind="update")
    assert Client(page).post(f"/api/events/{name}/answer", json=body, **LOCAL).status_code == status


def test_metrics_are_what_prometheus_reads(made):
    _, page = made()
    text = Client(page).get("/metrics", **LOCAL).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for name in ("frames", "events", "frames_unscored", "up", "threshold", "connections"):
        (sample,) = families[f"dist_vad_camera_{name}"].samples
        assert sample.labels == {"camera": "door"}
    assert "process_resident_memory_bytes" in families


def test_healthz_says_whether_the_service_works(made):
    service, page = made()
    service.start()
    assert Client(page).get("/healthz", **LOCAL).status_code == 200
    service.batcher.fault = RuntimeError("broken")
    assert Client(page).get("/healthz", **LOCAL).status_code == 503


def test_no_page_says_a_planted_password(made):
    service, page = made()
    service.watched["door"].camera.reason = "rtsp://admin:planted-secret@door/1 broke off"
    assert "planted-secret" not in Client(page).get("/api/state", **LOCAL).text
