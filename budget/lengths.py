"""How many tokens a question and its answer have: counted where a run has its traces, else assumed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from math import log2
from pathlib import Path

from configs.errors import ConfigError
from configs.files import read_jsonl
from configs.paths import cache_folder
from configs.schema import Config

CHARS_PER_TOKEN = 3.3
"""Of prompts and answers together by SmolLM2's tokenizer: 3.33 in 1,966 Spider traces, 3.35 in 744 of the sample."""
TEMPLATE_TOKENS = 12
"""That the chat template adds to a trace."""
COLUMNS = {"sample": 12, "spider": 26, "bird": 54, "kaggledbqa": 21, "gretel": 8, "jsonl": 26}
"""Of the database of a question on average: counted for sample and spider (300 training questions), assumed for others;
bird as in Li et al. (2023)."""
COUNTED = ("sample", "spider")
TOKENS_PER_COLUMN = {"ddl": 7.7, "m-schema": 23.0}
TOKENS_PER_VALUE = 3.5
"""SmolLM2 tokens of a schema, with 0 and 3 example values, over sample and spider: within 10 % of the counted means."""
PROMPT_TOKENS = 30
"""Of instruction and question."""
EVIDENCE_TOKENS = 30
"""Of the hint in BIRD's questions.  Assumed."""
ANSWER_TOKENS = {"sql_only": 43, "cot": 109, "short": 96, "full": 132}
"""Of an answer by the teacher `plan`, its SQL included: counted for sample and spider, alike within 7 %."""
TEACHER_TOKENS = 400
"""Of an answer by a teacher that is a model.  Assumed."""
SPREAD = {"sample": (0.85, 1.15), "spider": (0.85, 1.15), "gretel": (0.7, 1.4)}
OTHER_SPREAD = (0.6, 1.6)
"""How far off assumed lengths may be.  Assumed."""
LONGER_SQL = {"bird": 1.5}
"""How much longer answers are than Spider's.  Assumed."""


@dataclass(frozen=True)
class Lengths:
    """Tokens of prompt and answer on average, and how far off these may be."""

    prompt: float
    answer: float
    low: float
    """Factor of the fewest tokens that are likely."""
    high: float
    padding: float
    """Tokens of a micro-batch of SFT over those that are not padding."""
    said: str
    """Where they come from, in words."""
    traces: int
    """To be trained on; `sft.in_domain_traces` are among them."""
    validation: int

    @property
    def trace(self) -> float:
        """Tokens of prompt and answer together."""
        return self.prompt + self.answer


def find_lengths(cfg: Config) -> Lengths:
    """Return the lengths of a run's traces: counted in its traces.jsonl, else assumed from its config."""
    traces = cfg.folder / "distill" / "traces.jsonl"
    return _counted(cfg, traces) if traces.is_file() else _assumed(cfg)


def padding_of(lengths: Sequence[int], micro_batch: int) -> float:
    """Return the tokens of shuffled micro-batches, padded to their longest, over the tokens without padding.

    >>> padding_of([100] * 8, 4), padding_of([10], 1)
    (1.0, 1.0)
    """
    order = list(lengths)
    random.Random(0).shuffle(order)
    batches = [order[start : start + micro_batch] for start in range(0, len(order), micro_batch)]
    return sum(len(batch) * max(batch) for batch in batches) / sum(order)


def _counted(cfg: Config, path: Path) -> Lengths:
    """Return the lengths of traces that are there already."""
    texts, splits = [], []
    for number, row in enumerate(read_jsonl(path), 1):
        try:
            said = [str(message["content"]) for message in row["messages"]]
        except (KeyError, TypeError):
            raise ConfigError(f"{path}:{number}: no messages; run distill again with --fresh") from None
        texts.append(("\n".join(said[:-1]), said[-1] if said else ""))
        splits.append(row.get("split"))
    if not texts:
        raise ConfigError(f"{path}: no trace; see rejected.jsonl beside it")
    tokenizer = _tokenizer(cfg)
    prompts, answers = ([_count(tokenizer, each) for each in part] for part in zip(*texts, strict=True))
    wholes = [prompt + answer + TEMPLATE_TOKENS for prompt, answer in zip(prompts, answers, strict=True)]
    kept = [whole for whole in wholes if whole <= cfg.model.max_length] or wholes
    by = "its model's tokenizer" if tokenizer else f"{CHARS_PER_TOKEN} characters a token"
    spread = (0.97, 1.03) if tokenizer else (0.8, 1.25)
    return Lengths(
        sum(prompts) / len(prompts) + TEMPLATE_TOKENS,
        sum(answers) / len(answers),
        *spread,
        _padding(cfg, padding_of(kept, cfg.sft.micro_batch)),
        f"tokens of the {len(texts)} traces in {path}, by {by}",
        sum(split == "train" for split in splits),
        sum(split == "validation" for split in splits),
    )


def _assumed(cfg: Config) -> Lengths:
    """Return lengths by what the run asks for."""
    data = cfg.data
    columns = COLUMNS[data.source]
    if data.max_columns:
        columns = min(columns, 0.7 * data.max_columns)
    values = data.sample_values * TOKENS_PER_VALUE
    prompt = PROMPT_TOKENS + columns * (TOKENS_PER_COLUMN[data.schema_style] + values)
    prompt += EVIDENCE_TOKENS if data.source == "bird" else 0
    by_plan = cfg.distill.teacher == "plan" or data.answer == "sql_only"
    answer = ANSWER_TOKENS[cfg.distill.detail if data.answer == "plan" else data.answer] if by_plan else TEACHER_TOKENS
    answer *= LONGER_SQL.get(data.source, 1.0)
    counted = data.source in COUNTED and by_plan and not data.max_columns
    kind = "as counted for" if counted else "assumed for"
    said = f"{prompt:.0f} tokens a prompt and {answer:.0f} an answer, {kind} {data.source} ({columns:.0f} columns)"
    spread = SPREAD.get(data.source, OTHER_SPREAD) if by_plan else OTHER_SPREAD
    random_order = 1 + 0.25 * log2(cfg.sft.micro_batch)
    counts = cfg.distill.traces, cfg.distill.validation_traces
    return Lengths(prompt, answer, *spread, _padding(cfg, random_order), said, *counts)


def _padding(cfg: Config, random_order: float) -> float:
    """Return the share of padding as the trainer batches: packed, grouped by length, or in random order."""
    trainer = cfg.sft.trainer
    if trainer.get("packing") or trainer.get("padding_free"):
        return 1.0
    if trainer.get("train_sampling_strategy") == "group_by_length":
        return min(random_order, 1.05)
    return random_order


def _count(tokenizer, text: str) -> int:
    if tokenizer is None:
        return max(1, round(len(text) / CHARS_PER_TOKEN))
    return max(1, len(tokenizer.encode(text, add_special_tokens=False).ids))


def _tokenizer(cfg: Config):
    """Return the tokenizer of the run's model, from its folder, what the run has trained, or the cache; else None."""
    if find_spec("tokenizers") is None:
        return None
    from tokenizers import Tokenizer

    stages = [cfg.folder / stage / kind for stage in ("sft", "rl") for kind in ("adapter", "model")]
    made = sorted((cache_folder() / "models").glob(f"{cfg.model.name}-*")) if "/" not in cfg.model.name else []
    for folder in (Path(cfg.model.name), *stages, *made):
        file = folder / "tokenizer.json"
        if file.is_file():
            try:
                return Tokenizer.from_file(str(file))
            except Exception as error:  # the package raises nothing more exact
                raise ConfigError(f"{file}: no tokenizer ({error!s:.80}); write it again, or delete it") from None
    return None
