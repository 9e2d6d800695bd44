"""The live page, its data, /metrics and /healthz, for those who may see them."""

import hmac
import ipaddress
import json
import math
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest
from waitress.server import create_server
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect, send_file
from werkzeug.wrappers import Request, Response

from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.base.text.redact import protect, redacted
from dist_vad.base.text.secrets import from_environment
from dist_vad.settings.watch import LOOPBACK
from dist_vad.watch.metrics import registry
from dist_vad.watch.pictures import boxes_json
from dist_vad.watch.service import Service

PAGE = Path(__file__).parent / "page"
COOKIE = "dist_vad_token"
SENT = 100
"""Events that the page is told of."""
THREADS = 6
SHORTEST_TOKEN = 16
ROUTES = Map(
    [
        Rule("/", endpoint="index", methods=["GET"]),
        Rule("/login", endpoint="login", methods=["GET", "POST"]),
        Rule("/static/<name>", endpoint="static", methods=["GET"]),
        Rule("/api/state", endpoint="state", methods=["GET"]),
        Rule("/api/cameras/<name>/picture.jpg", endpoint="picture", methods=["GET"]),
        Rule("/api/events/<event>/answer", endpoint="answer", methods=["POST"]),
        Rule("/media/<path:path>", endpoint="media", methods=["GET"]),
        Rule("/metrics", endpoint="metrics", methods=["GET"]),
        Rule("/healthz", endpoint="healthz", methods=["GET"]),
    ]
)
OPEN = ("login", "static", "healthz")
"""What needs no token: it says nothing of the cameras."""
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Page:
    """Serves a service's page in threads of its own; as a WSGI application, callable by any server."""

    def __init__(self, service: Service) -> None:
        """Raises InputError where the token is too short or the address is taken."""
        self._service, settings = service, service.settings.page
        self._token = from_environment(settings.token or "", "page.token")
        if self._token and len(self._token) < SHORTEST_TOKEN:
            raise InputError(f"page.token has {len(self._token)} characters; allowed: {SHORTEST_TOKEN} or more")
        protect(self._token)
        self._registry = registry(service)
        self._loopback = settings.host in LOOPBACK
        try:
            self._server = create_server(self, host=settings.host, port=settings.port, threads=THREADS, ident="")
        except OSError as error:
            raise InputError(f"page.port {settings.port} on {settings.host} cannot be used: {error}") from error
        self.port = int(self._server.effective_port)  # pyright: ignore
        self.url = f"http://{settings.host}:{self.port}/"
        self._thread = threading.Thread(target=self._server.run, name="page", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.close()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        try:
            endpoint, values = ROUTES.bind_to_environ(environ).match()
            response = self._refusal(request, endpoint) or getattr(self, f"_{endpoint}")(request, **values)
        except HTTPException as error:
            response = error.get_response(environ)
        except Exception:
            log.exception("the page failed at %s", redacted(request.path))
            response = Response("the service failed; its log says why\n", 500)
        for key, value in HEADERS.items():
            response.headers.setdefault(key, value)
        return response(environ, start_response)

    def _refusal(self, request: Request, endpoint: str) -> Response | None:
        """What a visitor gets who may not see this; None for one who may."""
        if not self._token and not _is_loopback(request.host):
            return _refused("this page is for this machine alone", 403)  # a page of another site asks by its own name
        if request.method == "POST" and endpoint != "login" and request.mimetype != "application/json":
            return _refused("expected application/json", 415)  # what other sites' forms cannot send
        if not self._token or endpoint in OPEN:
            return None
        given = request.headers.get("Authorization", "").removeprefix("Bearer ") or request.cookies.get(COOKIE, "")
        if hmac.compare_digest(given.encode(), self._token.encode()):
            return None
        if endpoint == "index":
            return redirect("login")
        return _refused("a token is needed", 401)

    def _index(self, request: Request) -> Response:
        return send_file(PAGE / "index.html", request.environ, mimetype="text/html")

    def _login(self, request: Request) -> Response:
        if request.method == "GET":
            return send_file(PAGE / "login.html", request.environ, mimetype="text/html")
        given = request.form.get("token", "")
        if not self._token or not hmac.compare_digest(given.encode(), self._token.encode()):
            time.sleep(1)  # whoever guesses, guesses slowly
            return redirect("login", 303)
        response = redirect("./", 303)
        response.set_cookie(COOKIE, self._token, httponly=True, samesite="Strict", secure=request.is_secure)
        return response

    def _static(self, request: Request, name: str) -> Response:
        if name not in ("style.css", "page.js"):
            raise NotFound
        return send_file(PAGE / name, request.environ)

    def _state(self, request: Request) -> Response:
        cameras = [_camera_facts(watched) for watched in self._service.watched.values()]
        events = [
            {**line, "answer": self._service.answers.of.get(line["id"])}
            for line in reversed([*self._service.events][-SENT:])
        ]
        judged = self._service.answers.summary()
        return _json({"time": time.time(), "cameras": cameras, "events": events, "judged": judged})

    def _picture(self, request: Request, name: str) -> Response:
        watched = self._service.watched.get(name)
        if watched is None or watched.view is None:
            raise NotFound
        view = watched.view
        headers = {"X-Boxes": boxes_json(view.objects), "X-Size": json.dumps(view.size), "X-Taken": f"{view.taken:.3f}"}
        return Response(view.picture, headers=headers, mimetype="image/jpeg")

    def _answer(self, request: Request, event: str) -> Response:
        line = next((line for line in self._service.events if line["id"] == event), None)
        if line is None:
            return _json({"error": "there is no such event any more"}, 404)
        try:
            answer = json.loads(request.get_data(as_text=True))["answer"]
            if line["type"] != "end" and answer != "seen":
                return _json({"error": "the event goes on; judge it once it has ended"}, 409)
            self._service.answers.give(line, answer)
        except (ValueError, KeyError, TypeError) as error:
            return _json({"error": f"expected {{'answer': 'seen' | 'anomaly' | 'false_alarm'}}: {error}"}, 400)
        return _json({"answer": answer})

    def _media(self, request: Request, path: str) -> Response:
        root = (self._service.out / "media").resolve()
        file = (self._service.out / path).resolve()
        if root not in file.parents or file.suffix not in (".jpg", ".mp4") or not file.is_file():
            raise NotFound
        return send_file(file, request.environ, conditional=True)

    def _metrics(self, request: Request) -> Response:
        return Response(generate_latest(self._registry), mimetype="text/plain")

    def _healthz(self, request: Request) -> Response:
        health = self._service.health()
        return _json({"well": health.well}, 200 if health.well else 503)


def _camera_facts(watched: Any) -> dict[str, Any]:
    camera, view, event = watched.camera, watched.view, watched.event
    score = view.score if view and math.isfinite(view.score) else None
    return {
        "name": camera.name,
        "status": camera.status,
        "reason": camera.reason,
        "since": camera.since,
        "fps": camera.fps,
        "score": score if camera.status == "connected" else None,
        "threshold": watched.threshold.value,
        "supported": watched.threshold.supported,
        "note": watched.note,
        "event": event.id if event else None,
        "curve": [[second, round(value, 2)] for second, value in watched.curve()],
    }


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    name = name.strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _json(value: Any, status: int = 200) -> Response:
    return Response(redacted(json.dumps(value)), status, mimetype="application/json")


def _refused(text: str, status: int) -> Response:
    return _json({"error": text}, status)
