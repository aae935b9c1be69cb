"""`python -m evaluation CONFIG [section.key=value …]`, and `python -m evaluation report RUN`."""

import sys

from configs import stage

ABOUT = """\
Stage 4: ask the base model, the SFT model and the RL model the same questions over databases that were not
trained on, greedily, and run every answer in the sandbox.
reads   RUNS/NAME/sft/adapter and RUNS/NAME/rl/best or adapter (evaluation.models=[base,sft] leaves one out); without
        model.lora, model/ in place of adapter/
writes  RUNS/NAME/evaluation/base.json, sft.json, rl.json (every prediction with its verdict), gold.json, summary.json

`python -m evaluation report RUN` writes RUNS/NAME/report.html: scores, curves and all answers as one page.
`python -m evaluation ask MODEL DB "question"` shows a model's plan, SQL and rows; with --chat, of one after the other.
`python -m evaluation score --predictions FILE --gold FILE --databases DIR` scores files that others made.
"""


def main(argv: list[str]) -> int:
    """Return the exit status: 0, 2 for bad input, 130 or 143 when stopped."""
    if argv[:1] == ["report"]:
        from evaluation.report.command import report  # nothing that the stage needs

        return report(argv[1:])
    if argv[:1] == ["ask"]:
        from evaluation.ask.command import ask

        return ask(argv[1:])
    if argv[:1] == ["score"]:
        from evaluation.score_files import score

        return score(argv[1:])
    return stage.main("evaluation", ABOUT, "evaluation.run:evaluate", argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
