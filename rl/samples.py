"""A few answers of each logged step as a table in TensorBoard, wandb or trackio, beside the metrics."""

from collections.abc import Sequence
from random import Random

from transformers import TrainerCallback
from transformers.integrations import TensorBoardCallback, TrackioCallback, WandbCallback

from rl.completions import CompletionLog

DRAWN = 2
"""Answers of a table that are neither the best nor the worst paid one."""
TEXTS = ("task_id", "question", "gold_sql", "completion", "status", "message")
CELL_CHARS = 2000
MARKS = str.maketrans({mark: f"&#{ord(mark)};" for mark in "\\`*_[]|~<>&\"'"})


class Samples(TrainerCallback):
    """Hands the best and the worst paid answer of a step, and DRAWN others, to the loggers of `report_to`."""

    def __init__(self, log: CompletionLog, trainer) -> None:
        self.log, self.trainer = log, trainer

    def on_log(self, args, state, control, logs: dict[str, float], **_: object) -> None:
        """Log the table of a step; the loggers have its metrics by now."""
        if not self.log.rows or "loss" not in logs:
            return  # another process has them, or this is the summary at the end
        columns, cells = table(self.log.rows)
        step = {"train/global_step": state.global_step}
        for logger in self.trainer.callback_handler.callbacks:
            if isinstance(logger, TensorBoardCallback):
                logger.tb_writer.add_text("samples", markdown(columns, cells), state.global_step)
            elif isinstance(logger, WandbCallback):
                import wandb

                wandb.log({"samples": wandb.Table(columns=columns, data=cells)} | step)
            elif isinstance(logger, TrackioCallback):
                import trackio

                shown = [[*map(plain, row)] for row in cells]
                trackio.log({"samples": trackio.Table(columns=columns, data=shown)} | step)


def table(rows: Sequence[dict]) -> tuple[list[str], list[list[object]]]:
    """Return the columns and the rows of the table that is made of a step's lines of completions.jsonl."""
    ranked = sorted(rows, key=lambda row: row["total"], reverse=True)
    places = range(1, len(ranked) - 1)
    drawn = sorted(Random(f"samples-{rows[0]['step']}").sample(places, min(DRAWN, len(places))))
    shown = [("best", ranked[0]), *(("drawn", ranked[place]) for place in drawn), ("worst", ranked[-1])]
    columns = ["which", "total", "advantage", *TEXTS, *ranked[0]["rewards"]]
    cells = [
        [which, row["total"], row["advantage"], *(_short(row.get(name)) for name in TEXTS), *row["rewards"].values()]
        for which, row in shown
    ]
    return columns, cells


def markdown(columns: Sequence[str], cells: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table in which every text stands for itself.

    >>> print(markdown(["a", "b"], [["<sql>\\n|", 0.5]]))
    | a | b |
    | --- | --- |
    | &#60;sql&#62;<br>&#124; | 0.5 |
    """
    head, *lines = ([plain(cell).replace("\n", "<br>") for cell in row] for row in (columns, *cells))
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))


def plain(cell: object) -> str:
    """Return a cell as Markdown and HTML show it: no mark-up, whatever a model wrote."""
    text = "" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell)
    return text.translate(MARKS)


def _short(text: object) -> str:
    text = str(text or "")
    return text if len(text) <= CELL_CHARS else f"{text[: CELL_CHARS - 1]}…"
