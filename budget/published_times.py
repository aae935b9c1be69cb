"""Times that others published, and what budget's arithmetic makes of the same setting."""

from dataclasses import dataclass

from budget.flops import training_flops
from budget.gpus import GPUS
from budget.hours import Interval, stage_hours, training_time, turn_time
from budget.memory import lora_parameters
from budget.shapes import TABLE, Shape
from budget.speed import speed_of
from budget.work import Work, stage_work
from configs.schema import Config, Lora, Model

QWEN = "https://github.com/QwenLM/Qwen, README, Profiling of Memory and Speed"
BITSANDBYTES = "https://github.com/bitsandbytes-foundation/bitsandbytes/blob/main/benchmarking/README.md"
STRUCT_SQL = "https://github.com/craterlabs/Struct-SQL-Distillation"
DEV = "https://dev.to/prodesk98/structured-reasoning-distillation-in-sql-via-cot-and-reinforcement-learning-with-grpo-3in3"
NICHE = "https://github.com/ZsombiTech/NicheLM"

QWEN_1B8 = Shape("llama", 24, 2048, 5504, 16, 16, 128, 151_936, False)
QWEN_7B = Shape("llama", 32, 4096, 11_008, 32, 32, 128, 151_936, False)
QWEN_14B = Shape("llama", 40, 5120, 13_696, 40, 40, 128, 152_064, False)


@dataclass(frozen=True)
class Timed:
    """A published time, and ours."""

    what: str
    gpu: str
    published_s: float
    ours: Interval
    source: str
    independent: bool
    """Whether no efficiency in `budget.speed` was chosen by it."""
    note: str = ""
    at_most: bool = False
    """What is published is a bound."""

    @property
    def inside(self) -> bool:
        """Whether the interval holds the published time."""
        return self.ours.low <= self.published_s and (self.at_most or self.published_s <= self.ours.high)


def rows() -> list[Timed]:
    """Return all of them, those that tell something new first."""
    return [*_struct_sql(), _niche(), _dev(), *_qwen(), *_bitsandbytes()]


def table() -> str:
    """Return the rows as a table in Markdown, with the interval's middle over what was published."""
    lines = ["| | GPU | published | ours | published / ours | |", "|---|---|---|---|---|---|"]
    for row in rows():
        published = f"≤ {_shown(row.published_s)}" if row.at_most else _shown(row.published_s)
        verdict = "inside" if row.inside else "**outside**"
        told = "; ".join(part for part in (verdict, "" if row.independent else "not independent", row.note) if part)
        ratio = row.published_s / row.ours.likely
        ours = f"{_shown(row.ours.low)} – {_shown(row.ours.high)}"
        lines.append(f"| {row.what} | {GPUS[row.gpu].title} | {published} | {ours} | {ratio:.2f} | {told} |")
    return "\n".join(lines)


def _shown(seconds: float) -> str:
    """Return a time in the unit that suits it.

    >>> _shown(0.0211), _shown(5.2), _shown(1749), _shown(26259)
    ('21 ms', '5.2 s', '29 min', '7.3 h')
    """
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _struct_sql() -> list[Timed]:
    """Qwen3-4B in 4 bit on one H200, batches of 6 × 6, at most 15,000 tokens; the epochs after which each ended."""
    told = [
        ("SFT of 1,000 plan traces, 2.24 epochs", 1000, 2.24, 29.15, "plan", "their prompts are longer than ours"),
        ("SFT of 1,000 free traces, 6.40 epochs", 1000, 6.40, 25.24, "cot", ""),
        ("SFT of 9,000 gold queries, 4.33 epochs", 9000, 4.33, 110.57, "sql_only", "some 9,000"),
    ]
    made = []
    for what, traces, epochs, minutes, answer, note in told:
        cfg = _config(
            data={"source": "bird", "path": "bird", "answer": answer, "schema_style": "m-schema"},
            model={"name": "Qwen/Qwen3-4B-Instruct-2507", "max_length": 15_000, "lora": {"r": 64, "alpha": 128}},
            distill={"teacher": "openai", "model": "gpt-4o", "traces": traces, "validation_traces": 0},
            sft={"micro_batch": 6, "accumulation": 6, "trainer": {"num_train_epochs": epochs}},
        )
        ours = _sft_time(cfg, TABLE["qwen3-4b-instruct-2507"], "h200")
        made.append(Timed(f"Struct-SQL, {what}", "h200", 60 * minutes, ours, STRUCT_SQL, True, note))
    return made


def _niche() -> Timed:
    """Llama-3.2-3B by Unsloth QLoRA, rank 16, 2 epochs of 5,000 Spider questions; the page says about 14 minutes."""
    cfg = _config(
        data={"source": "spider", "path": "spider", "answer": "sql_only", "sample_values": 0},
        model={"name": "unsloth/Llama-3.2-3B-Instruct", "max_length": 4096, "lora": {"r": 16, "alpha": 32}},
        distill={"traces": 5000, "validation_traces": 0},
        sft={"micro_batch": 4, "accumulation": 4, "trainer": {"num_train_epochs": 2}},
    )
    ours = _sft_time(cfg, TABLE["llama-3.2-3b-instruct"], "rtx4090")
    return Timed(
        "NicheLM, SFT of 2 × 5,000 Spider questions", "rtx4090", 14 * 60, ours, NICHE, True,
        "about; micro-batch not told, taken as 4 × 4",
    )  # fmt: skip


def _dev() -> Timed:
    """Llama-3.2-3B: less than $17 − $14.52 for SFT of 5,000 and 300 GRPO steps, at $0.34 an hour 7.3 hours at most."""
    cfg = _config(
        data={"source": "gretel", "path": "gretel"},
        model={"name": "unsloth/Llama-3.2-3B-Instruct", "max_length": 2048},
        distill={"teacher": "openai", "model": "llama-3.1-70b", "traces": 5000, "validation_traces": 0},
        sft={"micro_batch": 4, "accumulation": 4, "trainer": {"num_train_epochs": 1}},
        rl={"prompts_per_step": 4, "generations": 4, "max_prompt_length": 1024, "max_completion_length": 1024,
            "ex_every": 0, "trainer": {"max_steps": 300}},
    )  # fmt: skip
    shape, gpu = TABLE["llama-3.2-3b-instruct"], GPUS["rtx4090"]
    hours = stage_hours(cfg, shape, gpu, stage_work(cfg, shape))
    return Timed(
        "DEV article, SFT and 300 GRPO steps, by its bill", "rtx4090", (17 - 14.52) / 0.34 * 3600,
        hours["sft"] + hours["rl"], DEV, True, "a bound, at $0.34 an hour; at $0.60 it is 4.1 hours", at_most=True,
    )  # fmt: skip


def _qwen() -> list[Timed]:
    """An iteration of 8 sequences, one at a time, LoRA rank 64, on an A100 of 80 GB."""
    told = [
        (QWEN_1B8, "1.8B LoRA", "none", {256: 1.0, 2048: 1.7, 8192: 6.8}),
        (QWEN_7B, "7B LoRA", "none", {256: 1.2, 2048: 5.2, 8192: 21.3}),
        (QWEN_7B, "7B Q-LoRA", "4bit", {256: 3.0, 2048: 7.0, 8192: 22.3}),
        (QWEN_14B, "14B Q-LoRA", "4bit", {256: 5.3, 2048: 11.8, 8192: 38.3}),
    ]
    made = []
    for shape, name, quantization, seconds in told:
        lora = Lora(r=64)
        speed = speed_of(GPUS["a100-80"], Model(quantization=quantization))
        for length, published in seconds.items():
            each = training_flops(shape, length / 2, adapter=lora_parameters(shape, lora), checkpointing=True)
            work = Work(8 * length, 0, 0, 1, (), training_flops=8 * length * each, passes=8)
            ours = training_time(shape, speed, work)
            what = f"Qwen-{name}, a step of 8 × {length:,} tokens"
            note = "GPTQ's kernels, not bitsandbytes'" if quantization == "4bit" else ""
            made.append(Timed(what, "a100-80", published, ours, QWEN, False, note))
    return made


def _bitsandbytes() -> list[Timed]:
    """A token step of a batch of 1, 8 or 32 in transformers, without an adapter."""
    qwen_14b = TABLE["qwen2.5-coder-14b-instruct"]
    told = [
        ("rtx4090", TABLE["llama-3.1-8b-instruct"], "Llama-3.1-8B", "none", {1: 21.1, 8: 23.9, 32: 30.4}),
        ("rtx4090", TABLE["llama-3.1-8b-instruct"], "Llama-3.1-8B", "4bit", {1: 17.5, 8: 44.3, 32: 47.1}),
        ("rtx4090", qwen_14b, "Qwen2.5-14B", "4bit", {1: 25.6, 8: 71.9}),
        ("h100", TABLE["llama-3.1-8b-instruct"], "Llama-3.1-8B", "none", {1: 24.4, 32: 26.1}),
        ("h100", TABLE["llama-3.1-8b-instruct"], "Llama-3.1-8B", "4bit", {1: 41.1, 32: 57.7}),
        ("h100", TABLE["llama-3.1-8b-instruct"], "Llama-3.1-8B", "8bit", {1: 81.7, 32: 86.4}),
    ]
    made = []
    for gpu, shape, name, quantization, times_ms in told:
        model = Model(quantization=quantization)
        for rows_at_once, published in times_ms.items():
            fast, slow = (
                turn_time(shape, model, speed_of(GPUS[gpu], model), rows_at_once, 128, fast=fast)
                for fast in (True, False)
            )
            what = f"{name} {quantization}, a token for {rows_at_once}"
            note = "one row has a kernel of its own" if rows_at_once == 1 and quantization == "4bit" else ""
            made.append(Timed(what, gpu, published / 1000, Interval(fast, slow), BITSANDBYTES, False, note))
    return made


def _config(**sections: dict) -> Config:
    return Config.model_validate({"name": "published", "runs": "/nonexistent", **sections})


def _sft_time(cfg: Config, shape: Shape, gpu: str) -> Interval:
    """Return the time of SFT without its start: what the pages tell is the training's."""
    return training_time(shape, speed_of(GPUS[gpu], cfg.model), stage_work(cfg, shape)["sft"])
