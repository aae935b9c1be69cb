"""The figures of a report: runs → plotly figures, without colours of text and paper, which the page's theme gives."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite

import plotly.graph_objects as go

from evaluation.errors import MEANINGS, RIGHT
from evaluation.report.data import Run, name_of
from evaluation.report.traces import database_name

# Each has a contrast of at least 3:1 against the white and against the dark card (WCAG 2.2, 1.4.11).
MODELS = {"base": "#78828f", "sft": "#2b7bd6", "rl": "#d3640f"}
OTHERS = ("#1b9264", "#a05bd0", "#c7457d", "#8a7a1f", "#16909c", "#2b7bd6", "#d3640f", "#78828f")
DASHES = ("solid", "dash", "dot")
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
LOSSES = {
    "loss": ("training", MODELS["sft"]),
    "eval_loss": ("validation", OTHERS[2]),
    "eval_out_of_domain_loss": ("validation, other databases", OTHERS[2]),
    "eval_in_domain_loss": ("validation, databases trained on", OTHERS[0]),
}

MOST_DATABASES = 40
"""More would make a figure that nobody reads."""

Runs = tuple[Run, ...]


@dataclass(frozen=True)
class Figure:
    """One figure of the page; `draw` returns None where the runs hold nothing for it."""

    name: str
    title: str
    note: str
    draw: Callable[[Runs], go.Figure | None]


def draw_all(runs: Runs) -> list[tuple[Figure, go.Figure]]:
    """Return the figures that the runs have data for."""
    return [(figure, drawn) for figure in FIGURES if (drawn := figure.draw(runs)) is not None]


def loss(runs: Runs) -> go.Figure | None:
    """Return the loss of SFT on training and validation traces."""
    lines = []
    for place, run in enumerate(runs):
        for key, (name, colour) in LOSSES.items():
            lines += _line(run.sft, key, _told(name, run, runs), colour, place, markers=key != "loss")
    return _figure(lines, "step", "loss, nats a token")


def rewards(runs: Runs) -> go.Figure | None:
    """Return the mean of each reward, and of their weighted sum, by step of GRPO."""
    lines = []
    names = sorted({key for run in runs for row in run.rl for key in row if _is_reward(key)})
    for place, run in enumerate(runs):
        lines += _smooth(run.rl, "reward", _told("sum, weighted", run, runs), MODELS["rl"], place)
        for number, key in enumerate(names):
            colour = OTHERS[number % len(OTHERS)]
            lines += _smooth(run.rl, key, _told(key.split("/", 1)[1].removesuffix("/mean"), run, runs), colour, place)
    return _figure(lines, "step", "mean reward")


def held_out(runs: Runs, stage: str) -> go.Figure | None:
    """Return EX on held-out questions while a stage trains."""
    lines, colour = [], MODELS[stage]
    for place, run in enumerate(runs):
        rows = run.sft_ex if stage == "sft" else run.best
        found = _line(rows, "ex", _told("EX", run, runs), colour, place, markers=True)
        for line in found:
            line.customdata = [[row.get("right"), row.get("questions")] for row in rows if _number(row.get("ex"))]
            line.hovertemplate = "%{y:.1%} (%{customdata[0]} of %{customdata[1]})"
        lines += found
    figure = _figure(lines, "step", "EX")
    return figure and figure.update_yaxes(tickformat=".0%", rangemode="tozero")


def length(runs: Runs) -> go.Figure | None:
    """Return the length of sampled answers."""
    lines = []
    for place, run in enumerate(runs):
        lines += _smooth(run.rl, "completions/mean_length", _told("mean", run, runs), MODELS["rl"], place)
        lines += _smooth(run.rl, "completions/max_length", _told("longest", run, runs), MODELS["base"], place)
    figure = _figure(lines, "step", "tokens an answer")
    return figure and figure.update_yaxes(rangemode="tozero")


def silent(runs: Runs) -> go.Figure | None:
    """Return the share of groups that teach nothing, and of answers that were cut."""
    lines = []
    for place, run in enumerate(runs):
        lines += _smooth(run.rl, "frac_reward_zero_std", _told("silent groups", run, runs), OTHERS[1], place)
        lines += _smooth(run.rl, "completions/clipped_ratio", _told("answers cut off", run, runs), OTHERS[3], place)
    figure = _figure(lines, "step", "share")
    return figure and figure.update_yaxes(tickformat=".0%", range=[-0.03, 1.03])


def levels(runs: Runs) -> go.Figure | None:
    """Return EX by level, a bar a model."""
    return _by_part(runs, "levels")


def difficulties(runs: Runs) -> go.Figure | None:
    """Return EX by the publisher's difficulty, a bar a model."""
    return _by_part(runs, "difficulties")


def databases(runs: Runs) -> go.Figure | None:
    """Return EX by database, those with the most questions first, a bar a model; none where there are too many."""
    counts = {(run.name, model): _by_database(run, rows) for run in runs for model, rows in run.predictions.items()}
    most: Counter[str] = Counter()
    for found in counts.values():
        most |= Counter({name: len(rights) for name, rights in found.items()})
    if not 1 < len(most) <= MOST_DATABASES:
        return None
    names = [name for name, _ in most.most_common()]
    bars = []
    for run in runs:
        for model in run.predictions:
            found = {name: counts[run.name, model].get(name, []) for name in names}
            shares = [sum(rights) / len(rights) if rights else None for rights in found.values()]
            bars.append(_bar(model, run, runs, y=list(map(_plain, names)), x=shares))
            told = [f"{sum(rights)} of {len(rights)}" for rights in found.values()]
            bars[-1].update(orientation="h", customdata=told, hovertemplate="%{x:.1%} (%{customdata})")
    return _lying(_figure(bars, "EX", ""), len(names) * max(20, 9 * len(bars)))


def tries(runs: Runs) -> go.Figure | None:
    """Return the chance that one of k sampled answers is right, a line a model."""
    lines = []
    for place, run in enumerate(runs):
        for model, row in run.models.items():
            rows = [{"step": int(k), "share": share} for k, share in row.get("pass_at", {}).items()]
            colour = _colour(model, run)
            lines += _line(rows, "share", name_of(model, run, runs), colour, place, markers=True)
    figure = _figure(lines, "answers, k", "pass@k")
    return figure and figure.update_yaxes(tickformat=".0%", rangemode="tozero")


def errors(runs: Runs) -> go.Figure | None:
    """Return how many predictions have which error, a bar a model."""
    seen = {name for run in runs for counts in run.errors.values() for name in counts} - {RIGHT}
    order = [name for name in (*MEANINGS, *sorted(seen - MEANINGS.keys())) if name in seen]
    labels = [_plain(words(name)) for name in order]
    bars = []
    for run in runs:
        for model, counts in run.errors.items():
            shares = [counts[name] / counts.total() for name in order]
            bars.append(_bar(model, run, runs, y=labels, x=shares, orientation="h"))
            bars[-1].update(customdata=[counts[name] for name in order], hovertemplate="%{x:.1%} (%{customdata})")
    return _lying(_figure(bars if order else [], "share of the answers", ""), len(order) * max(20, 9 * len(bars)))


FIGURES = (
    Figure("loss", "SFT loss", "Of the training batches, and of the validation traces.", loss),
    Figure("sft-held-out", "EX during SFT", "Greedy answers to validation questions.", partial(held_out, stage="sft")),
    Figure(
        "rewards", "Rewards during RL", "Mean over the sampled answers; faint: each step, strong: smoothed.", rewards
    ),
    Figure(
        "held-out", "EX during RL", "Greedy answers to held-out validation questions.", partial(held_out, stage="rl")
    ),
    Figure("length", "Length of answers during RL", "Tokens of the sampled answers.", length),
    Figure("silent", "Silent groups", "Groups whose answers all score alike: nothing to learn from.", silent),
    Figure("levels", "EX by level", "L1 basic, L2 subquery, L3 join or set operation, L4 both.", levels),
    Figure("difficulties", "EX by difficulty", "As the publisher of the questions calls it.", difficulties),
    Figure("databases", "EX by database", "Those with the most questions first.", databases),
    Figure("tries", "pass@k", "The chance that one of k sampled answers is right.", tries),
    Figure("errors", "What is wrong", "Answers that do not give the gold rows, by what is wrong with them.", errors),
)


def smoothed(values: Sequence[float], window: int) -> list[float]:
    """Return the mean of each value and up to `window` − 1 before it.

    >>> smoothed([1, 2, 3, 4], 2)
    [1.0, 1.5, 2.5, 3.5]
    """
    parts = (values[max(0, place - window + 1) : place + 1] for place in range(len(values)))
    return [sum(part) / len(part) for part in parts]


def _line(rows: list[dict], key: str, name: str, colour: str, place: int, markers: bool = False) -> list[go.Scatter]:
    """Return the line of a metric, none where it was not logged."""
    found = [(row["step"], row[key]) for row in rows if _number(row.get(key)) and _number(row.get("step"))]
    if not found:
        return []
    steps, values = (list(column) for column in zip(*found, strict=True))
    line = {"color": colour, "dash": DASHES[place % len(DASHES)], "width": 2}
    mode = "lines+markers" if markers or len(found) == 1 else "lines"
    return [go.Scatter(x=steps, y=values, name=_plain(name), mode=mode, line=line, marker_size=6)]


def _smooth(rows: list[dict], key: str, name: str, colour: str, place: int) -> list[go.Scatter]:
    """Return the line of a noisy metric smoothed, over the faint line of what was logged."""
    found = _line(rows, key, name, colour, place)
    if not found or len(found[0].y) < 20:
        return found
    (raw,) = found
    strong = go.Scatter(raw, y=[round(value, 6) for value in smoothed(raw.y, max(2, len(raw.y) // 20))])
    return [raw.update(opacity=0.3, line_width=1, hoverinfo="skip", showlegend=False), strong]


def _bar(model: str, run: Run, runs: Runs, **more: object) -> go.Bar:
    shape = "/" if runs.index(run) else ""
    marker = {"color": _colour(model, run), "pattern_shape": shape}
    return go.Bar(name=_plain(name_of(model, run, runs)), marker=marker, **more)


def _colour(model: str, run: Run) -> str:
    """Return the colour of a model: of a stage's its own, of others one after the other."""
    others = [name for name in run.models if name not in MODELS]
    return MODELS.get(model) or OTHERS[others.index(model) % len(OTHERS)]


def _by_part(runs: Runs, key: str) -> go.Figure | None:
    bars = []
    for run in runs:
        for model, row in run.models.items():
            found = {_plain(part): told for part, told in row.get(key, {}).items()}
            shares, counts = ([told[each] for told in found.values()] for each in ("ex", "questions"))
            if found:
                bars.append(_bar(model, run, runs, x=list(found), y=shares))
                bars[-1].update(customdata=counts, hovertemplate="%{y:.1%} of %{customdata}")
    figure = _figure(bars, "", "EX")
    return figure and figure.update_yaxes(tickformat=".0%", rangemode="tozero")


def _by_database(run: Run, predictions: list[dict]) -> dict[str, list[bool]]:
    """Return which answers are right, by the name that people know their database by."""
    found: dict[str, list[bool]] = {}
    for row in predictions:
        found.setdefault(database_name(run, row), []).append(bool(row["correct"]))
    return found


def _lying(figure: go.Figure | None, height: int) -> go.Figure | None:
    """Return a figure of lying bars, which need `height` pixels."""
    if figure:
        figure.update_xaxes(tickformat=".0%", rangemode="tozero", showgrid=True)
        figure.update_yaxes(showgrid=False, autorange="reversed")
        figure.update_layout(height=max(300, 90 + height), hovermode="closest")
    return figure


def _figure(traces: list, x: str, y: str) -> go.Figure | None:
    if not traces:
        return None
    layout = {
        "template": None,
        "height": 300,
        "margin": {"l": 56, "r": 12, "t": 8, "b": 44},
        "font": {"family": FONT, "size": 12},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
        "showlegend": True,
        "hovermode": "x unified",
        "bargap": 0.25,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "xaxis": {"title": _title(x), "showgrid": False, "zeroline": False, "automargin": True},
        "yaxis": {"title": _title(y), "showgrid": True, "zeroline": False, "automargin": True},
    }
    return go.Figure(traces, layout)


def words(error: str) -> str:
    """Return the class of an error in words.

    >>> words("no_such_column"), words("no_sql")
    ('no such column', 'no SQL')
    """
    return error.replace("_", " ").replace("sql", "SQL")


def _title(text: str) -> dict:
    return {"text": text, "standoff": 6, "font": {"size": 12}}


def _told(name: str, run: Run, runs: Runs) -> str:
    return name if len(runs) == 1 else f"{run.name}: {name}"


def _is_reward(key: str) -> bool:
    return key.startswith("rewards/") and key.endswith("/mean")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def _plain(name: str) -> str:
    """Return a name in which plotly finds no markup of its own, nor half a surrogate pair, which it refuses."""
    return name.encode("utf-8", "replace").decode().replace("&", "&amp;").replace("<", "&lt;")
