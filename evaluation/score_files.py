"""The command line of `python -m evaluation score`: others' predictions, scored without a model and without a run."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from sqlglot.errors import ParseError

from configs.errors import ConfigError
from configs.files import write_json
from configs.schema import Config, Evaluation, Sandbox
from configs.screen import progress, say
from configs.stage import complain
from evaluation.compare import compare_predictions, sentence
from evaluation.errors import GOLD_FAILED, MEANINGS
from evaluation.score import judge_queries, summarise
from evaluation.table import percent, result_tables
from sandbox.arguments import add_files, add_limits, limits_of
from sandbox.misplaced import misplaced
from sandbox.predictions import Pair, read_pairs
from tasks.level import level
from tasks.show import print_page
from tasks.task import Task

EPILOG = """\
examples:
  python -m evaluation score --predictions predict_dev.json --gold dev.json --databases dev_databases --how bird
  python -m evaluation score --predictions pred.sql --gold dev_gold.sql --databases database --compare other.sql

Gold is a JSON list with db_id and SQL or query (BIRD, Spider) or lines of SQL, tab, database.  Predictions are BIRD's
JSON object or one SQL a line.  `python -m sandbox judge` is the same in short, as JSON.
"""
TOGETHER = 64
"""Questions judged between two steps of the progress bar."""
NAMED = 3
"""Gold queries that failed which are named."""
TAKEN = {"gold", "compared", "base", "sft", "rl"}
"""Names that stand for something else in a summary or its table."""


def score(argv: list[str]) -> int:
    """Print the scores of files of predictions and return the exit status: 0, or 2 for bad input."""
    args = _parser().parse_args(argv)
    try:
        _score(args)
    except ConfigError as error:
        complain("score", error)
        return 2
    except KeyboardInterrupt:
        complain("score", ConfigError("stopped"))
        return 130
    return 0


def _score(args: argparse.Namespace) -> None:
    if args.out and args.out.is_dir():
        raise ConfigError(f"--out {args.out} is a folder; give the file to write")
    cfg = _config(args)
    files = _named([file for file in (args.compare, args.predictions) if file])
    pairs = {name: read_pairs(file, args.gold, args.databases) for name, file in files.items()}
    questions = pairs[next(iter(pairs))]
    tasks = [_task(pair) for pair in questions]
    rows = {name: _judged(name, tasks, [pair.sql or None for pair in given], cfg) for name, given in pairs.items()}
    rows["gold"] = _judged("gold", tasks, [task.gold_sql for task in tasks], cfg)
    _say_odd(args, rows, questions)
    resampling = {"resamples": cfg.evaluation.bootstrap, "seed": cfg.seed}
    summary = {name: summarise(found, **resampling) for name, found in rows.items()}
    title = f"{args.gold.name}: {len(tasks)} questions over {len({task.database for task in tasks})} databases"
    title += f", EX by the rule {args.how}"
    for table in result_tables({escape(name): found for name, found in summary.items()}, escape(title)):
        print_page(table, Console(width=None if Console().is_terminal else 120))
    for name in pairs:
        print(f"{name}: {_errors(summary[name]['errors'])}")
    if args.compare:
        before, after = pairs
        found = compare_predictions(rows[before], rows[after], **resampling)
        print(sentence(before, after, found))
        summary["compared"] = {f"{after}-{before}": {"before": before, "after": after} | found}
    if args.out:
        _write(args.out, {"gold": str(args.gold), "rule": args.how, "summary": summary, "predictions": rows})


def _config(args: argparse.Namespace) -> Config:
    """Return what judging asks of a config."""
    limits = limits_of(args)
    if args.workers < 1:
        raise ConfigError(f"--workers {args.workers}: give 1 or more")
    if not 0 <= args.variants <= 32:
        raise ConfigError(f"--variants {args.variants}: give 0 to 32")
    return Config(
        name="score",
        evaluation=Evaluation(judge=args.how, variants=args.variants),
        sandbox=Sandbox(**vars(limits), workers=args.workers),
    )


def _named(files: Sequence[Path]) -> dict[str, Path]:
    """Return the files by names that tell them apart: without their folders, if that is enough.

    >>> list(_named([Path("a/pred.sql"), Path("b/other.sql")])), list(_named([Path("a/pred.sql"), Path("b/pred.sql")]))
    (['pred.sql', 'other.sql'], ['a/pred.sql', 'b/pred.sql'])
    """
    if len({file.resolve() for file in files}) < len(files):
        raise ConfigError(f"--compare {files[0]}: these are the predictions themselves; name other ones")
    for name in (lambda file: file.name, lambda file: f"{file.parent.name}/{file.name}"):
        found = {name(file): file for file in files}
        if len(found) == len(files) and not found.keys() & TAKEN:
            return found
    return {str(file.resolve()): file for file in files}


def _task(pair: Pair) -> Task:
    gold = pair.gold
    try:
        found = level(gold.sql)
    except ParseError:
        found = ""  # SQLite may run it all the same
    return Task(gold.place, gold.question, gold.evidence, gold.sql, str(pair.database), found, gold.difficulty)


def _judged(name: str, tasks: Sequence[Task], queries: Sequence[str | None], cfg: Config) -> list[dict]:
    """Return the predictions with their verdicts, as a run's evaluation has them."""
    return [
        {
            "task_id": task.task_id,
            "level": task.level,
            "difficulty": task.difficulty,
            "database": Path(task.database).stem,
            "question": task.question,
            "gold_sql": task.gold_sql,
            "sql": sql,
        }
        | verdict
        for task, sql, verdict in zip(tasks, queries, _verdicts(name, tasks, queries, cfg), strict=True)
    ]


def _verdicts(name: str, tasks: Sequence[Task], queries: Sequence[str | None], cfg: Config) -> Iterator[dict]:
    with progress(f"score: {name}", len(tasks)) as advance:
        for start in range(0, len(tasks), TOGETHER):
            part = slice(start, start + TOGETHER)
            yield from judge_queries(tasks[part], queries[part], cfg)
            advance(len(tasks[part]))


def _say_odd(args: argparse.Namespace, rows: dict[str, list[dict]], questions: Sequence[Pair]) -> None:
    """Say which gold queries did not run, how many queries were not given, and what looks misplaced."""
    if broken := [row for row in rows["gold"] if row["error"] == GOLD_FAILED]:
        named = "; ".join(f"{row['task_id']} on {row['database']}: {row['message']}" for row in broken[:NAMED])
        more = "; …" if len(broken) > NAMED else ""
        say(
            f"score: {args.gold}: {len(broken)} of {len(questions)} gold queries did not run ({named}{more}), so that "
            "no answer there counts as right; --timeout-s, --max-steps and --max-rows raise the limits"
        )
    for name, found in rows.items():
        if empty := sum(row["sql"] is None for row in found):
            say(f"score: {name}: {empty} of {len(found)} queries were not given; they count as wrong")
        ran = [
            (row["task_id"], pair.database, row["status"], row["message"])
            for row, pair in zip(found, questions, strict=True)
        ]
        if warning := misplaced(ran, limits_of(args), args.workers):
            say(f"score: warning: {name}: {warning}")


def _errors(counts: dict[str, int]) -> str:
    """Return how many predictions are of each class, in words.

    >>> _errors({"right": 3, "syntax": 1})
    '3 (75.0 %) right; 1 (25.0 %) not SQL'
    """
    total = sum(counts.values())
    return "; ".join(f"{count} ({percent(count / total)} %) {MEANINGS[name]}" for name, count in counts.items())


def _write(file: Path, found: dict) -> None:
    try:
        write_json(file, found)
    except OSError as error:
        raise ConfigError(f"--out {file} can't be written: {error.strerror}") from None
    say(f"score: every prediction with its verdict → {file}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation score",
        description="Score predictions in BIRD's or Spider's published form by all measures of the evaluation, beside "
        "the gold queries themselves.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_files(parser)
    parser.add_argument(
        "--variants", type=int, metavar="N", default=Evaluation().variants,
        help="changed copies of a database for the test-suite accuracy (default %(default)s); 0: none",
    )  # fmt: skip
    parser.add_argument("--compare", type=Path, metavar="FILE", help="other predictions, to say how these differ")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all verdicts and the summary there, as JSON")
    add_limits(parser)
    return parser
