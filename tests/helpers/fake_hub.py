"""A hub of Hugging Face as far as huggingface_hub asks it to make a repository, to commit files and to give them."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


class FakeHub:
    """Runs on a port of this machine while its block does. `repositories` holds their files by name."""

    def __init__(self, token: str) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if self.headers.get("Authorization") != f"Bearer {token}":
                    return self.answer(401, {"error": "Invalid username or password."})
                path = unquote(urlsplit(self.path).path)
                if path == "/api/repos/create":
                    given = json.loads(body)
                    name = "/".join(part for part in (given.get("organization"), given["name"]) if part)
                    if name in hub.repositories:
                        return self.answer(409, {"error": "there already", "url": f"{hub.url}/{name}"})
                    hub.repositories[name] = {}
                    return self.answer(200, {"url": f"{hub.url}/{name}"})
                if path == "/api/validate-yaml":
                    return self.answer(200, {"errors": [], "warnings": []})
                name, _, kind = path.removeprefix("/api/models/").rpartition("/main")[0].rpartition("/")
                if kind == "preupload":
                    files = [{"path": one["path"], "uploadMode": "regular"} for one in json.loads(body)["files"]]
                    return self.answer(200, {"files": [{**one, "shouldIgnore": False} for one in files]})
                if kind == "commit":
                    for line in body.splitlines():
                        operation = json.loads(line)
                        if operation["key"] == "file":
                            value = operation["value"]
                            hub.repositories[name][value["path"]] = base64.b64decode(value["content"])
                    commit = {"commitUrl": f"{hub.url}/{name}/commit/{hub.head(name)}", "commitOid": hub.head(name)}
                    return self.answer(200, {"success": True, **commit})
                return self.answer(404, {"error": path})

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                path = unquote(urlsplit(self.path).path)
                for name, files in hub.repositories.items():
                    if path.startswith(f"/{name}/resolve/"):
                        file = path.removeprefix(f"/{name}/resolve/").partition("/")[2]
                        return self.file(name, files, file)
                    if path.startswith(f"/api/models/{name}/tree/"):
                        return self.answer(200, [hub.entry(own, content) for own, content in files.items()])
                    if path in (f"/api/models/{name}", f"/api/models/{name}/revision/main"):
                        siblings = [{"rfilename": own} for own in files]
                        return self.answer(200, {"id": name, "sha": hub.head(name), "siblings": siblings})
                return self.answer(404, {"error": path}, {"X-Error-Code": "RepoNotFound"})

            def file(self, name: str, files: dict[str, bytes], file: str) -> None:
                if file not in files:
                    return self.answer(404, {"error": file}, {"X-Error-Code": "EntryNotFound"})
                content, status = files[file], 200
                facts = {"X-Repo-Commit": hub.head(name), "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
                if given := self.headers.get("Range"):
                    start, end = given.removeprefix("bytes=").split("-")
                    last = min(int(end or len(content) - 1), len(content) - 1)
                    facts["Content-Range"] = f"bytes {start}-{last}/{len(content)}"
                    content, status = content[int(start) : last + 1], 206
                self.send(status, content, {"Content-Type": "application/octet-stream", **facts})

            def answer(self, status: int, value: Any, facts: dict[str, str] | None = None) -> None:
                self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(facts or {})})

            def send(self, status: int, content: bytes, facts: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **facts}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def head(self, name: str) -> str:
        """The commit of a repository's files."""
        whole = hashlib.sha1(usedforsecurity=False)
        for file, content in sorted(self.repositories[name].items()):
            whole.update(file.encode() + content)
        return whole.hexdigest()

    @staticmethod
    def entry(name: str, content: bytes) -> dict[str, Any]:
        return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}

    def __enter__(self) -> "FakeHub":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
