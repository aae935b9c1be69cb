"""`python -m rl CONFIG [section.key=value …]`, and `python -m rl show RUN`."""

import sys

from configs import stage

ABOUT = """\
Stage 3: improve what SFT trained with GRPO: sample a group of answers per question, score each with the rewards,
and make the better ones of each group more likely.
reads   RUNS/NAME/sft/adapter (model/ where model.lora is null), and the training questions
writes  RUNS/NAME/rl/adapter (or model/), best/, metrics.jsonl, completions.jsonl (answers and scores), checkpoint-*

`python -m rl show RUN [--step N] [--best | --worst]` prints answers of a run; show --help has its options.
"""


def main(argv: list[str]) -> int:
    """Return the exit status: 0, 2 for bad input, 130 or 143 when stopped."""
    if argv[:1] == ["show"]:
        from rl.show import show  # nothing that the stage needs

        return show(argv[1:])
    return stage.main("rl", ABOUT, "rl.train:train", argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
