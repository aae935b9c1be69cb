"""`python -m rl show RUN`: the answers of a step, each question's together, with what they were paid."""

import argparse
from pathlib import Path

from configs.errors import ConfigError
from configs.files import read_jsonl
from rl.group import Answered, group_page
from tasks.show import count, page_screen, print_page, show_pages, stage_folder

EPILOG = """\
examples:
  python -m rl show runs/demo                       the last step: 3 questions, each with its group of answers
  python -m rl show demo --step 40 -n 1 --plan      the plans of the answers, too
  python -m rl show demo --worst -n 5               the 5 answers of the last step that were paid least
  python -m rl show configs/cpu.yaml --task chess-012
"""


def show(argv: list[str]) -> int:
    """Print completions of a run on stdout and return the exit status: 0, or 2 for bad input."""
    return show_pages(_print, _parser().parse_args(argv))


def _print(args: argparse.Namespace) -> None:
    path = stage_folder(args.run, "rl") / "completions.jsonl"
    rows = read(path)
    step = _step(path, rows, args)
    found = [row for row in rows if row.step == step and args.task in (None, row.task_id)]
    if not found:
        has = ", ".join(dict.fromkeys(row.task_id for row in rows if row.step == step))
        raise ConfigError(f"{path}: step {step} has no task {args.task!r}; it has {has}")
    groups = _single(found, args) if args.best or args.worst else _groups(found)
    screen = page_screen()
    for group in groups[: args.n]:
        print_page(group_page(group, screen.width, plans=args.plan or args.best or args.worst), screen)
    kind = "answers" if args.best or args.worst else "questions"
    told = f"{min(args.n, len(groups))} of {len(groups)} {kind} of step {step} in {path}, which has {steps_of(rows)}"
    screen.print(told, style="dim", soft_wrap=True)


def read(path: Path) -> list[Answered]:
    """Return the lines of completions.jsonl, at least one."""
    if not path.exists():
        raise ConfigError(f"{path} is missing: this run has sampled nothing yet; python -m rl CONFIG does it")
    rows = [Answered.of(path, number, row) for number, row in enumerate(read_jsonl(path), 1)]
    if not rows:
        raise ConfigError(f"{path} is empty: this run has sampled nothing yet; python -m rl CONFIG does it")
    return rows


def steps_of(rows: list[Answered]) -> str:
    """Return which steps there are, in words."""
    steps = sorted({row.step for row in rows})
    if len(steps) > 2 and steps == list(range(steps[0], steps[-1] + 1)):
        return f"steps {steps[0]} to {steps[-1]}"
    told = ", ".join(map(str, steps)) if len(steps) < 13 else f"{', '.join(map(str, steps[:6]))} … {steps[-1]}"
    return f"step{'' if len(steps) == 1 else 's'} {told}"


def _step(path: Path, rows: list[Answered], args: argparse.Namespace) -> int:
    """Return the step that was asked for: else the last one, or the last one with that task."""
    if args.step is None:
        asked = [row.step for row in rows if args.task in (None, row.task_id)]
        if not asked:
            raise ConfigError(f"{path} has no task {args.task!r}; it has {rows[-1].task_id!r} and others")
        return max(asked)
    if all(row.step != args.step for row in rows):
        raise ConfigError(f"{path} has no step {args.step}; it has {steps_of(rows)}")
    return args.step


def _groups(rows: list[Answered]) -> list[list[Answered]]:
    """Return the answers to each question, in the order of the file, in which a group stands together."""
    groups: list[list[Answered]] = []
    for row in rows:
        if not groups or groups[-1][0].prompt != row.prompt:
            groups.append([])
        groups[-1].append(row)
    return groups


def _single(rows: list[Answered], args: argparse.Namespace) -> list[list[Answered]]:
    """Return the answers one by one, the best or the worst paid first; one that was said twice once."""
    ranked = sorted(rows, key=lambda row: row.total, reverse=args.best)
    once = {(row.prompt, row.completion): row for row in reversed(ranked)}
    return [[row] for row in ranked if once[row.prompt, row.completion] is row]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rl show",
        description="Print the answers that a step of GRPO sampled, with their rewards and advantages.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", help="a run: its folder, its name in runs/, or its config")
    parser.add_argument("--step", type=count, metavar="N", help="of this step; without it the last one")
    parser.add_argument("-n", type=count, default=3, metavar="N", help="how many (default %(default)s)")
    parser.add_argument("--task", metavar="ID", help="only this task, in the last step that has it")
    parser.add_argument("--plan", action="store_true", help="the plans too, not only the SQL")
    order = parser.add_mutually_exclusive_group()
    order.add_argument("--best", action="store_true", help="single answers, those that were paid most first")
    order.add_argument("--worst", action="store_true", help="single answers, those that were paid least first")
    return parser
