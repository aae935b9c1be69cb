"""A small server that speaks OpenAI's protocol, in this process, and a run that asks it."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from configs.files import write_jsonl
from tasks.trace import render

ROOT = Path(__file__).parents[1]
KEY = "sk-never-to-be-written-4711"
SCRIPT = (
    "CREATE TABLE city (name TEXT, people INTEGER); INSERT INTO city VALUES ('Oslo', 7), ('Rome', 28), ('Bern', 1);"
)


def right(number: int) -> str:
    plan = f"Step 1: Open city and keep city.people > {number}.\nStep 2: Deliver city.name."
    return render(plan, f"SELECT c.name FROM city c WHERE c.people > {number}")


@contextmanager
def serving(
    answer, delay_s: float = 0.0, again=None, requests: list | None = None, port: int = 0
) -> Iterator[tuple[str, list[int]]]:
    """Serve until the block ends; yields the address and the numbers of the questions as they come in.

    answer: what it says, given the number: HTTP status, text and finish reason, or the whole body as bytes.
    requests: gets each request.
    again: what it says, given number and chat, where a question comes with an answer that was rejected.
    """
    asked: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_) -> None:
            pass

        def do_GET(self) -> None:
            known = self.headers["Authorization"] == f"Bearer {KEY}"
            self.reply(200 if known else 401, {"object": "list", "data": []})

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/chat/completions"
            if requests is not None:
                requests.append(request)
            system, user, *more = request["messages"]
            assert "<think>" in system["content"]
            number = int(re.search(r"above (\d+)", user["content"]).group(1))
            asked.append(number)
            time.sleep(delay_s)
            reply = again(number, request["messages"]) if more else answer(number)
            if isinstance(reply, bytes):
                return self.send(200, reply)
            status, text, reason = reply
            if status != 200:
                return self.reply(status, {"error": {"message": f"{text} (key {KEY})"}})
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
            usage = {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70}
            head = {"id": "x", "object": "chat.completion", "created": 1, "model": request["model"]}
            self.reply(200, head | {"choices": [choice], "usage": usage})

        def reply(self, status: int, body: dict) -> None:
            self.send(status, json.dumps(body).encode())

        def send(self, status: int, data: bytes) -> None:
            self.send_response(status)
            if status != 200:
                self.send_header("Retry-After-Ms", "30")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            with suppress(ConnectionError):  # who asked may have gone
                self.end_headers()
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()


def write_run(folder: Path, url: str, questions: int, **distill) -> Path:
    """Write a corpus of numbered questions and the config of a run over it."""
    rows = [
        {
            "question": f"Which cities have above {number} people?",
            "gold_sql": f"SELECT name FROM city WHERE people > {number}",
            "script": SCRIPT,
        }
        for number in range(questions)
    ]
    write_jsonl(folder / "questions.jsonl", rows)
    config = folder / "run.yaml"
    chosen = {
        "teacher": "openai",
        "model": "small",
        "base_url": url,
        "validation_traces": 0,
        "batch_size": 4,
        "levels": {},
    }
    data = {"source": "jsonl", "path": str(folder / "questions.jsonl"), "validation_share": 0, "test_share": 0}
    sections = {"data": data, "distill": chosen | distill}
    config.write_text(json.dumps({"name": "asked", "runs": str(folder / "runs")} | sections))
    return config


def start_stage(config: Path, key: str = KEY, options: tuple[str, ...] = ()) -> subprocess.Popen:
    environment = dict(os.environ) | {"PLANQL_CACHE": str(config.parent / "cache"), "OPENAI_API_KEY": key}
    command = [sys.executable, "-m", "distill", str(config), *options]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_until(reached, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
