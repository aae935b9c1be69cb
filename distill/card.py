"""The README.md of a published dataset: what it is, where it comes from, how far it can be trusted."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

from configs.markdown import Plain, fenced, filled
from configs.schema import Config
from configs.scrub import scrubbed
from tasks.origin import LICENCES, SOURCES
from tasks.trace import render

SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}
ANSWERS = {
    "plan": "a query plan in words and the query that follows from it",
    "cot": "a reasoning in free words and the query that follows from it",
    "sql_only": "the query that answers it",
}


def card(
    cfg: Config, repo: str, splits: Mapping[str, Sequence[dict]], rejects: Mapping[str, int], stats: dict, commit: str
) -> str:
    """Return the card of the dataset `repo`.

    splits: the rows that are published, by the split's name.  rejects: rejected answers, by reason.
    stats: the content of stats.json.  commit: planql's own, blank outside of a repository.
    """
    rows = [row for part in splits.values() for row in part]
    return filled(
        Path(__file__).with_name("card.md"),
        front_matter=Plain(_front_matter(cfg, splits, len(rows))),
        name=repo.rpartition("/")[2],
        load_name=Plain(json.dumps(repo)),
        total=f"{len(rows):,}",
        answer=ANSWERS[cfg.data.answer],
        form=fenced(render("…" if cfg.data.answer != "sql_only" else "", "SELECT …")),
        facts=_facts(cfg, stats),
        version=_version(),
        commit=commit,
        levels=sorted({row["level"] for row in rows}),
        splits=[_split(name, part) for name, part in splits.items()],
        columns=[Plain(name) for name in rows[0]],
        variants=cfg.distill.variants,
        plan=cfg.data.answer == "plan",
        rejects=rejects,
        rejected=f"{sum(rejects.values()):,}",
        example=_example(rows),
        licence=_licence(cfg.data.source),
    )


def _front_matter(cfg: Config, splits: Mapping[str, Sequence[dict]], total: int) -> str:
    source = cfg.data.source
    files = [{"split": name, "path": file_of(name)} for name in splits]
    data = {
        **({"license": LICENCES[source], "language": ["en"]} if source in LICENCES else {}),
        "task_categories": ["text-generation"],
        "tags": ["text-to-sql", "sql", "sqlite", "query-plan", "reasoning", "distillation", "planql"],
        "size_categories": [next((name for size, name in SIZES.items() if total < size), "n>1M")],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    return yaml.safe_dump(data, sort_keys=False)


def file_of(split: str) -> str:
    """Return where in the dataset a split is."""
    return f"data/{split}.parquet"


def _facts(cfg: Config, stats: dict) -> dict[str, object]:
    """Return what is to be known of the making, by its name; nothing of the machine it was made on."""
    chosen = cfg.distill
    own = chosen.teacher == "plan"
    dollars, tokens = stats["dollars"], (stats["input_tokens"], stats["output_tokens"])
    told = {
        "questions and gold SQL": SOURCES[cfg.data.source],
        "teacher": f"planql's own, from the gold SQL ({chosen.detail} plans)" if own else scrubbed(chosen.model),
        "temperature": None if own else chosen.temperature,
        "tokens": f"{tokens[0]:,} read, {tokens[1]:,} written" if None not in tokens else None,
        "cost": None if dollars is None else f"${dollars:,.{4 if 0 < dollars < 1 else 2}f}",
        "seed": cfg.seed,
        "schema in the prompt": f"{cfg.data.schema_style}, {cfg.data.sample_values} example values a column",
    }
    return {key: value for key, value in told.items() if value is not None}


def _split(name: str, rows: Sequence[dict]) -> dict[str, object]:
    return {
        "name": name,
        "levels": Counter(row["level"] for row in rows),
        "total": f"{len(rows):,}",
        "databases": f"{len({row['database'] for row in rows}):,}",
    }


def _example(rows: Sequence[dict]) -> dict[str, str]:
    """Return a trace that is neither the shortest nor the longest: the middle one of the hardest level."""
    hardest = max(row["level"] for row in rows)
    ranked = sorted((row for row in rows if row["level"] == hardest), key=lambda row: len(_answer(row)))
    row = ranked[len(ranked) // 2]
    return {"question": row["question"], "code": fenced(_answer(row))}


def _answer(row: dict) -> str:
    return row["messages"][-1]["content"]


def _licence(source: str) -> str:
    if source in LICENCES:
        return f"That of the questions and gold SQL: {LICENCES[source]}. A hosted teacher may have terms of its own."
    return "That of the questions, the databases and the teacher's model: its publisher has to say which it is."


def _version() -> str:
    try:
        return version("planql")
    except PackageNotFoundError:
        return "(not installed)"
