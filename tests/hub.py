"""A small Hugging Face hub: the endpoints that huggingface_hub calls to create a dataset or model and commit to it."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

TOKEN = "hf_never-to-be-written-4711"
COMMIT = "c0ffee" + "0" * 34


@dataclass
class Hub:
    """What has arrived.  `refuses`: start of a path → the status that it gets."""

    url: str = ""
    refuses: dict[str, int] = field(default_factory=dict)
    requests: list[tuple[str, str, dict, bytes]] = field(default_factory=list)
    created: list[dict] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)

    def answer(self, method: str, path: str, headers: dict, body: bytes) -> tuple[int, dict]:
        """Return the status and the JSON that a request is answered with."""
        self.requests.append((method, path, headers, body))
        if refused := [status for start, status in self.refuses.items() if path.startswith(start)]:
            return refused[0], {"error": f"no, \x1b[31mnot\x1b[0m for {headers.get('authorization')}"}
        if method == "PUT" and path.startswith("/storage/"):
            self.uploads[path.removeprefix("/storage/")] = body
            return 200, {}
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid username or password."}
        given = json.loads(body) if body and not path.endswith("/commit/main") else {}
        match path:
            case "/api/whoami-v2":
                return 200, {"name": "ann", "type": "user", "orgs": []}
            case "/api/repos/create":
                again = given["name"] in [made["name"] for made in self.created]
                self.created.append(given)
                kind = "datasets/" if given.get("type") == "dataset" else ""
                url = f"{self.url}/{kind}{given['organization'] or 'ann'}/{given['name']}"
                return (409, {"error": "it is there", "url": url}) if again else (200, {"url": url})
            case "/api/validate-yaml":
                yaml.safe_load(given["content"].split("---\n")[1])
                return 200, {"errors": [], "warnings": []}
            case "/api/datasets/ann/plans/preupload/main" | "/api/models/ann/plans/preupload/main":
                return 200, {"files": [_mode(file["path"]) for file in given["files"]]}
            case "/datasets/ann/plans.git/info/lfs/objects/batch" | "/ann/plans.git/info/lfs/objects/batch":
                return 200, {"transfer": "basic", "objects": [self._upload(one) for one in given["objects"]]}
            case "/api/datasets/ann/plans/commit/main" | "/api/models/ann/plans/commit/main":
                self.commits.append(self._commit(body))
                kind = "datasets/" if path.startswith("/api/datasets/") else ""
                url = f"{self.url}/{kind}ann/plans/commit/{COMMIT}"
                return 200, {"success": True, "commitOid": COMMIT, "commitUrl": url}
        return 404, {"error": f"{method} {path}"}

    def _upload(self, one: dict) -> dict:
        return one | {"actions": {"upload": {"href": f"{self.url}/storage/{one['oid']}"}}}

    def _commit(self, body: bytes) -> tuple[str, dict[str, bytes]]:
        lines = [json.loads(line) for line in body.splitlines()]
        files = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"])
            if line["key"] == "file"
            else self.uploads[line["value"]["oid"]]
            for line in lines[1:]
        }
        return lines[0]["value"]["summary"], files


def _mode(path: str) -> dict:
    mode = "lfs" if path.endswith((".parquet", ".safetensors")) else "regular"
    return {"path": path, "uploadMode": mode, "shouldIgnore": False}


@contextmanager
def hub(refuses: dict[str, int] | None = None) -> Iterator[Hub]:
    """Serve a hub until the block ends."""
    here = Hub(refuses=refuses or {})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_) -> None:
            pass

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = here.answer(self.command, self.path.partition("?")[0], headers, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PUT = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
