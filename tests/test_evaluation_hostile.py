"""Stage 4 under hostile and odd input: servers, answers, names, databases, and files that people edited."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from configs import screen
from configs.errors import ConfigError
from configs.evaluation_schema import Server
from configs.files import read_json
from configs.schema import Config, Evaluation
from configs.stage import complain
from evaluation.measure import measure
from evaluation.official import write_official
from evaluation.samples import mark, vote
from evaluation.summary import summarise_run
from evaluation.table import result_tables
from models.said import Answer
from models.served import served_answers
from models.server import check_server, told
from sandbox import Limits, Result, same_result
from tasks.show import print_page
from tasks.task import Task
from tests.teacher import KEY

HOSTILE = "../[/red]\x1b[31m</script>\u2028\ud800 a"
SQL = "SELECT a FROM t"
ANSWER = f"<sql>{SQL}</sql>"
CFG = Config(name="trial", evaluation=Evaluation(models=["base"], bootstrap=100))


def completion(content: object = ANSWER, usage: object = None, **choice: object) -> bytes:
    message = {"role": "assistant", "content": content}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"} | choice]
    return json.dumps(
        {"id": "x", "object": "chat.completion", "model": "m", "choices": choices, "usage": usage}
    ).encode()


@contextmanager
def replying(status: int, kind: str, body: bytes) -> Iterator[str]:
    """Serve one and the same reply until the block ends; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def answer_to(status: int, body: bytes, kind: str = "application/json") -> Answer:
    with replying(status, kind, body) as url:
        ((_, answer),) = next(served_answers(Server(base_url=url, model="m"), [[]], max_new_tokens=9, batch_size=1))
    return answer


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (completion(f"\ud800{ANSWER}\udfff"), f"?{ANSWER}?"),
        (completion("\0\x1b[31m"), "\0\x1b[31m"),
        (completion(None), ""),
        (completion(finish_reason=["x"], logprobs=3), ANSWER),
    ],
)
def test_whatever_a_server_says_is_a_text(body, text):
    answer = answer_to(200, body)
    assert (answer.text, answer.trouble) == (text, "")
    answer.text.encode()  # which every file takes


@pytest.mark.parametrize(
    "counts",
    [
        (None, None), (-1, -2), (1.5, 2.5), ("1", "2"), (True, True), (float("nan"), 1), (10**400, 1), (3, None),
    ],
)  # fmt: skip
def test_counts_that_can_not_be_are_none_and_the_answer_counts(counts):
    usage = dict(zip(("prompt_tokens", "completion_tokens"), counts, strict=True))
    for told_of in (usage, {}, [1], "much"):
        answer = answer_to(200, completion(usage=told_of))
        assert (answer.text, answer.tokens, answer.prompt_tokens, answer.trouble) == (ANSWER, 0, None, "")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>", "text/html"),
        (b"data: {}\n\ndata: [DONE]\n\n", "text/event-stream"),
        (b"[" * 200_000, "application/json"),
        (b'{"choices": ' * 100_000, "application/json"),
        (b'{"choices": "\xff"}', "application/json"),
        (b'{"choices": [null]}', "application/json"),
        (completion([{"type": "text", "text": ANSWER}]), "application/json"),
        (b"", "application/json"),
    ],
)
def test_a_reply_that_is_no_answer_is_a_question_without_one(body, kind):
    answer = answer_to(200, body, kind)
    assert "the server's reply is malformed" in answer.trouble and (answer.text, answer.stopped) == ("", False)


def test_a_page_of_complaint_is_cut_and_never_holds_the_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    long = json.dumps({"error": {"message": f"\x1b[31mtoo long {KEY} " * 100_000}}).encode()
    answer = answer_to(400, long)
    assert (
        "too long …" in answer.trouble
        and KEY not in answer.trouble
        and len(answer.trouble) <= 1000
        and "\x1b" not in answer.trouble
    )
    for cut in range(990, 1010):  # nor a part of it where the text is cut
        assert KEY[:12] not in told(ValueError("x" * (cut - len(KEY) // 2) + KEY), KEY)


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY} ", "schlüssel-4711", "\ud800"])
def test_a_key_that_no_request_can_carry_is_not_repeated(key):
    with pytest.raises(ConfigError, match=r"servers.x.api_key_env: the key in MY_KEY has a blank") as error:
        check_server("http://127.0.0.1:9/v1", key, "MY_KEY", "servers.x")
    assert key.strip() not in str(error.value)


@pytest.mark.parametrize("url", ["http://[/v1", "http://\u2028/v1", "http://127.0.0.1:9/v1\x1b[31m", "ftp://x/v1"])
def test_an_address_that_is_none_is_a_config_error(url):
    with pytest.raises(ConfigError, match=r"^servers.x.base_url: "):
        check_server(url, "key", "MY_KEY", "servers.x")


def database(path: Path, script: str = "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2), (3, 4);") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.create_collation("LOCALIZED", lambda a, b: (a > b) - (a < b))
        connection.executescript(script)
    connection.close()
    return str(path)


def evaluated(folder: Path, tasks: list[Task], answers: dict[int, list[str]] | None = None, cfg: Config = CFG) -> dict:
    """Return the summary of a model that gives these answers, ANSWER where none is given; all files are written."""

    def ask(chats):
        for place, _ in enumerate(chats):
            said = (answers or {}).get(place, [ANSWER] * cfg.evaluation.samples)
            yield [(place, Answer(text, 3, 0.1, True)) for text in said]

    measure(cfg, folder, "base", None, tasks, ask)
    summary = summarise_run(cfg, folder, tasks, ["base"])
    write_official(folder / "official", tasks, {"base": read_json(folder / "base.json")["predictions"]})
    return summary


def test_hostile_names_and_texts_pass_through_every_file(tmp_path, cache, capsys):
    paths = [tmp_path / "a" / "x.sqlite", tmp_path / "b" / "x.sqlite", tmp_path / "c" / "x-2.sqlite"]
    files = [database(path) for path in (*paths, tmp_path / "o'x \"\n\t.sqlite")]
    tasks = [Task(f"{HOSTILE}{n}", f"{HOSTILE}?", "", SQL, file, "L1", HOSTILE) for n, file in enumerate(files)]
    summary = evaluated(tmp_path / "out", tasks, {1: [f"<sql>SELECT '{HOSTILE}'</sql>"], 2: ["```" * 1_000_000]})
    assert (summary["base"]["correct"], summary["gold"]["correct"]) == (2, 4)
    rows = read_json(tmp_path / "out" / "base.json")["predictions"]
    assert [row["task_id"] for row in rows] == [task.task_id for task in tasks]
    assert rows[1]["answer"] == f"<sql>SELECT '{HOSTILE}'</sql>"
    names = [row["database"] for row in rows]
    assert names == ["x", "x-2", "x-2-2", "o'x \""] and list(summary["base"]["databases"]) == sorted(names)
    official = tmp_path / "out" / "official"
    assert (official / "dev_gold.sql").read_text() == "".join(f"{SQL}\t{name}\n" for name in names)
    assert [(official / "databases" / name / f"{name}.sqlite").resolve() for name in names] == list(map(Path, files))
    assert len((official / "base" / "pred.sql").read_bytes().split(b"\n")) == 5
    del summary["compared"]
    for table in result_tables(summary, "trial"):
        print_page(table, Console(width=120))
    shown = capsys.readouterr().out
    assert "[/red]" in shown and "\x1b" not in shown and shown.encode()


def test_what_is_said_steers_no_terminal(capsys):
    screen.say(f"gold failed: {HOSTILE}")
    complain("evaluation", ConfigError(HOSTILE))
    shown = capsys.readouterr().err
    assert shown.count("[/red]�[31m</script>") == 2 and "\x1b" not in shown and shown.encode()


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE t (a, b); CREATE TABLE n (x TEXT COLLATE LOCALIZED); CREATE INDEX i ON n (x);",
        "CREATE TABLE t (a PRIMARY KEY, b AS (a * 2)) WITHOUT ROWID; INSERT INTO t VALUES (1);",
        "CREATE VIEW t AS SELECT 1 AS a; CREATE VIEW broken AS SELECT * FROM missing;",
        "CREATE VIRTUAL TABLE t USING fts5 (a, b); INSERT INTO t VALUES ('x', 'y');",
        f"CREATE TABLE t (a, {', '.join(f'c{n}' for n in range(1999))}); INSERT INTO t (a) VALUES (1);",
        "CREATE TABLE gone (a); DROP TABLE gone;",
    ],
)
def test_a_database_that_cannot_be_varied_tells_alone(tmp_path, cache, script):
    gold = "SELECT 1 AS a" if "gone" in script else SQL
    task = Task("q", "?", "", gold, database(tmp_path / "x.sqlite", script), "L1")
    summary = evaluated(tmp_path / "out", [task], {0: [f"<sql>{gold}</sql>"]})
    assert summary["base"]["ex_suite"] == summary["gold"]["ex_suite"] == 1.0


@pytest.mark.parametrize("gold", ["SELECT nope FROM t", "ATTACH 'x' AS y", "", "SELECT '\ud800'", "SELECT \0 1"])
def test_a_gold_query_that_fails_leaves_samples_and_copies_wrong(tmp_path, cache, gold):
    cfg = Config(name="trial", evaluation=Evaluation(samples=2, temperature=1, bootstrap=100))
    task = Task("q", "?", "", gold, database(tmp_path / "x.sqlite"), "L1")
    found = evaluated(tmp_path / "out", [task], {0: [f"<sql>{gold}</sql>", "<sql>ATTACH 'x' AS y</sql>"]}, cfg)["base"]
    assert found["errors"] == {"gold_failed": 1} and found["pass_at"] == {"1": 0.0, "2": 0.0} and found["ex_suite"] == 0


def test_the_vote_over_many_long_results_takes_no_longer_than_they_do(tmp_path):
    path = database(tmp_path / "x.sqlite")
    count = "WITH RECURSIVE c(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM c WHERE a < 3000) SELECT a"
    queries = [f"{count}, a * {n}, a / {n + 3.0}, {n} FROM c" for n in range(100)]
    begun = time.monotonic()
    assert vote([path], [[*queries, queries[7]]], Limits(), 2) == [7]
    assert time.monotonic() - begun < 15  # to compare each with each takes a minute


@pytest.mark.parametrize(
    ("rows", "other"),
    [([-1], [-2]), ([2**61 - 1], [0]), ([1, 1], [1]), ([3, None], [None, 3.0]), (["3"], [3]), ([0.1 + 0.2], [0.3]),
     ([-0.0, 1e15], [10**15, 0]), ([b"a"], ["a"]), ([float("inf")], [9e99]), ([12345678901], [12345678902])],
)  # fmt: skip
def test_results_have_one_mark_where_they_are_the_same(rows, other):
    one, two = (Result("ok", ("n",), tuple((value,) for value in values)) for values in (rows, other))
    assert (mark(one) == mark(two)) == same_result(one, two, "multiset")
