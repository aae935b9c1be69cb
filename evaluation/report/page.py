"""One HTML file that holds all it needs: nothing comes from elsewhere, and no script can run but ours."""

import base64
import hashlib
import json
import zlib
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from configs.errors import ConfigError
from evaluation.compare import compare_predictions, sentence
from evaluation.errors import MEANINGS
from evaluation.report.costs import costs
from evaluation.report.data import Run, name_of
from evaluation.report.figures import draw_all
from evaluation.report.traces import read_traces
from evaluation.summary import pairs_of
from evaluation.table import percent

HERE = Path(__file__).parent
SCRIPTS = ("sql.js", "browse.js", "page.js")
COLUMNS = (
    ("ex_bird", "EX, BIRD", "EX by BIRD's own rule: the same set of rows"),
    ("ex_suite", "test suite", "EX on changed copies of the databases, too"),
    ("soft_f1", "soft F1", "BIRD mini-dev's partial credit for rows"),
    ("r_ves", "R-VES", "BIRD mini-dev's reward for speed of right queries"),
    ("form", "form", "answers in the form that was trained"),
    ("runs", "runs", "queries that run"),
    ("stops", "stops", "answers that end by themselves"),
)
"""Shares of a model's summary: key, head of the column, what it means."""


def render(runs: tuple[Run, ...], keep: int | None, now: datetime) -> bytes:
    """Return the report of one run, or of several side by side.

    keep: rows of each result that the browser of traces shows; None: there is none, nor a question in the page.
    """
    plotly = get_plotlyjs()
    own = _script("\n".join((HERE / name).read_text("utf-8") for name in SCRIPTS))
    figures = draw_all(runs)
    traces = {"sources": []} if keep is None else read_traces(runs, keep)
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("page.html").render(
        title=" and ".join(run.name for run in runs),
        runs=runs,
        now=now.strftime("%Y-%m-%d %H:%M"),
        policy=_policy([plotly, own]),
        style=Markup((HERE / "page.css").read_text("utf-8")),
        plotly=_packed(plotly),
        own=own,
        scores=list(_scores(runs)),
        columns=_columns(runs),
        asked=_asked(runs),
        differences=list(_differences(runs)),
        figures=[(figure, drawn.layout.height) for figure, drawn in figures],
        drawn={figure.name: json.loads(drawn.to_json()) for figure, drawn in figures},
        costs=[(run, costs(run)) for run in runs if costs(run)],
        sources=[(source["title"], len(source["items"])) for source in traces["sources"]],
        traces=_packed(_json(traces | {"meanings": MEANINGS})),
    )
    return page.encode("utf-8", "replace")


def _asked(runs: tuple[Run, ...]) -> str:
    """Return in words what the answers are: greedy, sampled, or chosen among several."""
    settings = [run.config.get("evaluation", {}) for run in runs]
    most = max(int(each.get("samples") or 1) for each in settings)
    if most > 1:
        return f"Of up to {most} sampled answers a question the one whose rows most others have"
    return "Sampled answers" if any(each.get("temperature") for each in settings) else "Greedy answers"


def _columns(runs: tuple[Run, ...]) -> list[tuple[str, str, str]]:
    """Return the columns of the headline table that the runs have shares for; pass@k before the form."""
    rows = [row for run in runs for row in run.summary.values()]
    tries = sorted({int(k) for row in rows for k in row.get("pass_at", ())})
    passed = [(f"pass@{k}", f"pass@{k}", f"one of {k} sampled answers is right") for k in tries]
    place = next(place for place, column in enumerate(COLUMNS) if column[0] == "form")
    return [
        *(column for column in COLUMNS[:place] if any(column[0] in row for row in rows)),
        *passed,
        *(column for column in COLUMNS[place:] if any(column[0] in row for row in rows)),
    ]


def _scores(runs: tuple[Run, ...]) -> Iterator[dict]:
    """Yield the lines of the headline table."""
    for run in runs:
        for model, row in run.summary.items():
            low, high = row["ex_interval"]
            yield {
                "name": name_of(model, run, runs),
                "model": model,
                "questions": row["questions"],
                "ex": percent(row["ex"]),
                "interval": f"{percent(low)}–{percent(high)}",
                "low": round(100 * low, 2),
                "high": round(100 * high, 2),
                "at": round(100 * row["ex"], 2),
                "shares": {key: percent(row[key]) for key, *_ in COLUMNS if row.get(key) is not None}
                | {f"pass@{k}": percent(share) for k, share in row.get("pass_at", {}).items()},
                "tokens": "–" if row.get("tokens") is None else f"{row['tokens']:.0f}",
            }


def _differences(runs: tuple[Run, ...]) -> Iterator[str]:
    """Yield in a sentence how each model differs from the one before it, and from its namesake in the run before."""
    pairs = [((run, before), (run, after)) for run in runs for before, after in pairs_of(list(run.predictions))]
    for first, second in pairwise(runs):
        pairs += [((first, model), (second, model)) for model in second.predictions if model in first.predictions]
    for (first, before), (second, after) in pairs:
        names = name_of(before, first, runs), name_of(after, second, runs)
        found = second.compared.get(f"{after}-{before}") if first is second else None
        try:
            yield sentence(*names, found or _compared(first.predictions[before], second.predictions[after], second))
        except ConfigError as error:
            yield f"{names[1]} − {names[0]}: {error}"


def _compared(before: list[dict], after: list[dict], run: Run) -> dict:
    resamples = run.config.get("evaluation", {}).get("bootstrap", 10_000)
    return compare_predictions(before, after, resamples=resamples, seed=run.config.get("seed", 0))


def _script(text: str) -> Markup:
    """Return a script of ours, which must not end its element early."""
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError("a script of the page holds </script or <!--, which HTML would not leave in it")
    return Markup(text)


def _policy(scripts: list[str]) -> str:
    """Return the Content-Security-Policy: these scripts run, and no other; nothing is loaded or sent.

    Plotly sets styles, which can do nothing here but look bad.
    """
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _packed(text: str) -> str:
    """Return base64 of the deflated text: a third of its size or less, and nothing in it is HTML."""
    return base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), 9)).decode()
