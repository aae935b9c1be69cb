"""A finished run, made up but for its verdicts: what `python -m evaluation report` reads, some of it hostile."""

import base64
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from string import ascii_lowercase

from configs.files import write_json, write_jsonl
from configs.schema import Config
from evaluation.report.command import report
from evaluation.score import judge_answers, summarise
from tasks.load import load_tasks
from tasks.trace import render
from tests.shop import GOLDS

HOSTILE = '</script><script>window.hit = 1</script><img src=x onerror="window.hit = 2"><b>&amp;\u2028'
BAD_SQL = f"SELECT '{HOSTILE}' AS \"<i>x</i>\""
MODELS = ("base", "sft", "rl")


class Page(HTMLParser):
    """A page as a browser reads it: its elements with their attributes, and the text in each."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.html = path.read_text("utf-8")
        self.elements: list[tuple[str, dict, list[str]]] = []
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))

    def handle_data(self, data):
        if self.elements:
            self.elements[-1][2].append(data)

    def texts(self, tag: str, **attrs: str) -> list[str]:
        found = [text for name, has, text in self.elements if name == tag and attrs.items() <= has.items()]
        return [" ".join("".join(text).split()) for text in found]

    def cells(self, section: str) -> list[str]:
        """Return the texts of the table cells of a section."""
        part = self.html.partition(f'<section id="{section}">')[2].partition("</section>")[0]
        return [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[dh]\b[^>]*>(.*?)</t[dh]>", part, re.S)]

    def packed(self, name: str) -> str:
        (text,) = self.texts("script", id=name)
        return zlib.decompress(base64.b64decode(text)).decode()

    def traces(self) -> dict:
        return json.loads(self.packed("trace-data"))


def written(folder: Path, *words: str) -> Page:
    """Return the report that is written of a run."""
    assert report([str(folder), *words]) == 0
    return Page(folder / "report.html")


def make_run(folder: Path, database: Path, name: str = "trial") -> Path:
    """Write all files of a run over the shop into FOLDER/NAME and return that.

    base answers nothing; sft each second question; rl all but one, whose answer is HOSTILE.
    """
    lines = [
        {"task_id": f"shop-{n}", "question": f"Question {n} on the shop?", "gold_sql": gold, "database": str(database)}
        for n, gold in enumerate(GOLDS)
    ]
    lines[1]["question"] = f"What of {HOSTILE}?"
    write_jsonl(folder / "questions.jsonl", lines)
    data = {"source": "jsonl", "path": str(folder / "questions.jsonl"), "split": "questions"}
    cfg = Config(name=name, runs=str(folder), data=data | {"validation_share": 0.1, "test_share": 0.2})
    write_json(cfg.folder / "config.json", {"config": cfg.model_dump(mode="json")})
    _train(cfg.folder)
    _evaluate(cfg)
    return cfg.folder


def _train(folder: Path) -> None:
    write_json(folder / "distill" / "stats.json", {"train": {"delivered": 40}, "seconds": 12.5, "dollars": 1.25})
    sft = [{"step": n, "seconds": 2.0 * n, "loss": 3 / n, "num_tokens": 100 * n} for n in range(1, 31)]
    write_jsonl(folder / "sft" / "metrics.jsonl", [*sft, {"step": 30, "seconds": 61, "eval_loss": 0.2}])
    ex = [{"step": n, "ex": n / 60, "right": n, "questions": 60, "seconds": 1.0} for n in (0, 30)]
    write_jsonl(folder / "sft" / "ex.jsonl", ex)
    rl = [
        {"step": n, "seconds": 5.0 * n, "loss": 0.1, "reward": 0.1 * n, "rewards/sql_execution/mean": 0.05 * n}
        | {f"rewards/{HOSTILE}/mean": 0.5, "completions/mean_length": 40.0 + n, "frac_reward_zero_std": 0.25}
        for n in range(1, 31)
    ]
    write_jsonl(folder / "rl" / "metrics.jsonl", rl)
    best = [{"step": n, "ex": n / 40, "right": n, "questions": 40, "seconds": 1.0} for n in (0, 10, 30)]
    write_jsonl(folder / "rl" / "best.jsonl", best)
    finding = {"step": 10, "rule": "entropy high", "severity": "warning", "text": f"entropy {HOSTILE}"}
    write_jsonl(folder / "rl" / "health.jsonl", [finding | {"key": "rl.x", "advice": "lower it", "stands": True}])
    write_jsonl(folder / "rl" / "completions.jsonl", [_sample(n, m) for n in range(1, 31) for m in range(4)])


def _sample(step: int, number: int) -> dict:
    right = number == 0
    sql = GOLDS[0] if right else BAD_SQL
    told = {"sql": sql, "status": "ok", "correct": right, "message": "" if right else "1 rows, gold 1", "rows": "Cy"}
    return {
        "step": step,
        "task_id": "shop-0",
        "question": "Question 0 on the shop?",
        "gold_sql": GOLDS[0],
        "prompt": "user\nQuestion: Question 0 on the shop?",
        "completion": render("open customer", sql),
        **told,
        "rewards": {"sql_execution": float(right), "format_strict": None},
        "total": 2.0 * right + 0.1 * number,
        "advantage": 0.5,
    }


def _evaluate(cfg: Config) -> None:
    splits = load_tasks(cfg.data, cfg.seed)
    tasks = sorted((*splits.train, *splits.validation, *splits.test), key=lambda task: task.task_id)
    told = {
        "base": ["I cannot say." for _ in tasks],
        "sft": [
            render("open it", task.gold_sql if n % 2 else "SELECT nme FROM customer") for n, task in enumerate(tasks)
        ],
        "rl": [render(f"plan {HOSTILE}" if not n else "open it", task.gold_sql) for n, task in enumerate(tasks)],
    }
    told["rl"][2] = render(HOSTILE, BAD_SQL)
    summary = {}
    for model in MODELS:
        verdicts = judge_answers(tasks, told[model], cfg)
        rows = [
            {"task_id": task.task_id, "level": task.level, "database": "shop", "question": task.question}
            | {"gold_sql": task.gold_sql, "answer": text, "tokens": 30, "seconds": 0.5, "stopped": True}
            | verdict
            for task, text, verdict in zip(tasks, told[model], verdicts, strict=True)
        ]
        write_json(cfg.folder / "evaluation" / f"{model}.json", {"model": "nano", "predictions": rows})
        summary[model] = summarise(rows, resamples=200, seed=0)
    write_json(cfg.folder / "evaluation" / "summary.json", summary)


def many(folder: Path, count: int) -> Path:
    """Write a run with `count` predictions in all, of two models, as long as real ones, and return its folder."""
    random = Random(0)
    words = ["".join(random.choices(ascii_lowercase, k=random.randint(2, 9))) for _ in range(3000)]

    def text(length: int) -> str:
        return " ".join(random.choices(words, k=length))

    asked = [(f"{n}: {text(14)}?", f"SELECT {text(2)} FROM {text(8)} WHERE x = {n}") for n in range(count // 2)]
    summary = {}
    for model in ("sft", "rl"):
        rows = []
        for n, (question, gold) in enumerate(asked):
            right = random.random() < 0.4
            sql = gold if right else f"SELECT {text(12)}"
            rows.append(
                {"task_id": f"q-{n}", "level": f"L{n % 4 + 1}", "database": f"db_{n % 160}", "question": question}
                | {"gold_sql": gold, "answer": render(text(60), sql), "sql": sql, "form": True, "status": "ok"}
                | {"correct": right, "message": "" if right else "1 rows, gold 2", "tokens": 90, "seconds": 0.1}
                | {"bird": right, "soft_f1": float(right), "ves": float(right), "stopped": True}
                | {"error": "right" if right else "other_rows"}
            )
        write_json(folder / "evaluation" / f"{model}.json", {"predictions": rows})
        summary[model] = summarise(rows, resamples=100, seed=0)
    write_json(folder / "evaluation" / "summary.json", summary)
    write_json(folder / "config.json", {"config": {"name": "many", "evaluation": {"bootstrap": 1000}}})
    return folder


def refused(capsys, *words: object) -> str:
    assert report([*map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("report: ")
    return err
