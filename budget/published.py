"""Memory figures that others published or logged, and what budget's arithmetic makes of the same setting."""

from dataclasses import dataclass

from budget.generation import kv_bytes_per_token, vllm_cache_bytes
from budget.losses import fused_bytes
from budget.memory import GIB, Step, training_memory, weights_bytes
from budget.shapes import TABLE, Shape
from configs.schema import Lora, Model

WITHIN = 0.25
"""How far off a prediction may be, of the published figure."""
REQUIREMENTS = "https://unsloth.ai/docs/get-started/fine-tuning-for-beginners/unsloth-requirements"
BENCHMARKS = "https://unsloth.ai/docs/basics/unsloth-benchmarks"
LONG_GRPO = "https://unsloth.ai/blog/grpo"
STANDBY = "https://docs.unsloth.ai/basics/memory-efficient-rl"
LOGITS = "https://docs.axolotl.ai/docs/training_stability.html"
ISSUE = "https://github.com/unslothai/unsloth/issues/1880"

LLAMA_8B = TABLE["llama-3.1-8b-instruct"]
LLAMA_70B = Shape("llama", 80, 8192, 28_672, 64, 8, 128, 128_256, False)
LLAMA_2 = Shape("llama", 32, 4096, 11_008, 32, 32, 128, 32_000, False)
MISTRAL = Shape("llama", 32, 4096, 14_336, 32, 8, 128, 32_768, False)
LONG = 20 * 1024
"""Tokens of a sequence in the figures of LONG_GRPO, of which there are 8 in a group."""


@dataclass(frozen=True)
class Row:
    """A published figure and ours, both in GiB; where a page says GB, its own sums show GiB or do not tell."""

    what: str
    published: float
    ours: float
    assumed: str
    source: str
    why: str = ""
    """Why they differ."""
    chosen: bool = False
    """Whether what is assumed is not said there, and was chosen because it fits."""

    @property
    def off(self) -> float:
        """How much ours is above the published figure, as a share of it."""
        return self.ours / self.published - 1

    @property
    def agrees(self) -> bool:
        """Whether they differ by no more than WITHIN."""
        return abs(self.off) <= WITHIN


def rows() -> list[Row]:
    """Return all figures that are compared, by kind."""
    return [*_requirements(), *_contexts(), *_grpo(), *_single()]


def _total(shape: Shape, length: int, *, micro_batch: int = 1, loss: str = "fused", **model: object) -> float:
    """Return the GiB of a step without padding, CUDA context and margin included."""
    step = Step(micro_batch, length, loss=loss, optimizer="adamw_8bit", padded=False)
    return training_memory(shape, Model(**model), step).total_bytes / GIB


def _requirements() -> list[Row]:
    """ "Absolute minimum" by billions of parameters; the page names neither models nor lengths."""
    asked = [
        ("3B", TABLE["llama-3.2-3b-instruct"], "Llama-3.2-3B", 3.5, 8),
        ("7B", LLAMA_2, "Llama-2-7B", 5, 19),
        ("7B", MISTRAL, "Mistral-7B", 5, 19),
        ("7B", TABLE["qwen2.5-coder-7b-instruct"], "Qwen2.5-7B", 5, 19),
        ("8B", LLAMA_8B, "Llama-3.1-8B", 6, 22),
        ("8B", TABLE["qwen3-8b"], "Qwen3-8B", 6, 22),
        ("14B", TABLE["qwen3-14b"], "Qwen3-14B", 8.5, 33),
    ]
    made = []
    for size, shape, name, four_bit, sixteen_bit in asked:
        embedding = 2 * shape.embedding_parameters / GIB
        why = f"embedding and output layer have {2 * embedding:.1f} GiB in 16 bit; the page's model has fewer words"
        for how, published, quantization in (("QLoRA", four_bit, "4bit"), ("LoRA", sixteen_bit, "none")):
            ours = _total(shape, 1024, quantization=quantization)
            what = f"{how} {size}, least"
            row = Row(what, published, ours, f"{name}, 1 × 1,024 tokens, rank 16", REQUIREMENTS)
            made.append(row if row.agrees else Row(what, published, ours, row.assumed, REQUIREMENTS, why))
            if not row.agrees:
                assumed = f"{row.assumed}; the input embedding in RAM, as Unsloth puts it where room is short"
                made.append(Row(what, published, ours - 1.1 * embedding, assumed, REQUIREMENTS, chosen=True))
    return made


def _contexts() -> list[Row]:
    """The longest context that fitted a GPU, so that the peak is taken for the GPU's memory."""
    made = []
    longest = [(8, 2972, None), (12, 21_848, 932), (16, 40_724, 2551), (24, 78_475, 5789)]
    longest += [(40, 153_977, 12_264), (48, 191_728, 15_502), (80, 342_733, 28_454)]
    for name, shape, table in (
        ("Llama-3.1-8B", LLAMA_8B, longest),
        ("Llama-3.3-70B", LLAMA_70B, [(48, 12_106, None), (80, 89_389, 6916)]),
    ):
        for gib, unsloth, plain in table:
            assumed, lora = f"{name} QLoRA, rank 32, micro-batch 1", Lora(r=32)
            ours = _total(shape, unsloth, lora=lora)
            made.append(Row(f"{unsloth:,} tokens fit, Unsloth", gib, ours, assumed, BENCHMARKS))
            if plain:
                ours = _total(shape, plain, lora=lora, backend="transformers", loss="nll")
                why = "transformers of 2024 made one more float32 copy of the logits: read, not run"
                made.append(Row(f"{plain:,} tokens fit, transformers", gib, ours, assumed, BENCHMARKS, why))
    return made


def _grpo() -> list[Row]:
    """Llama-3.1-8B, 8 completions of 20 K tokens each at once, by what the memory holds."""
    words, tokens, lora = LLAMA_8B.vocab, 8 * LONG, Lora(r=32)
    whole = "Llama-3.1-8B QLoRA, 8 × 20,480 tokens in one micro-batch"
    unsloth = _total(LLAMA_8B, LONG, micro_batch=8, lora=lora)
    chunked = _total(LLAMA_8B, LONG, micro_batch=8, lora=lora, backend="transformers", loss="chunked_nll")
    plain = _total(LLAMA_8B, LONG, micro_batch=8, lora=lora, backend="transformers", loss="grpo")
    cache, base = kv_bytes_per_token(LLAMA_8B) * LONG / GIB, weights_bytes(LLAMA_8B, Model(quantization="none")) / GIB
    fused = fused_bytes(LLAMA_8B, tokens, tokens, 2) / GIB
    return [
        Row("GRPO 20 K, keys and values", 2.5, cache, "one sequence, in 16 bit", LONG_GRPO),
        Row("GRPO 20 K, TRL: the model for inference", 16, base, "all weights in 16 bit", LONG_GRPO),
        Row("GRPO 20 K, TRL: logits", 78.3, 4 * tokens * words / GIB, "float32 logits of all tokens, once", LONG_GRPO),
        Row(
            "GRPO 20 K, Unsloth: loss", 9.8, fused, whole, LONG_GRPO,
            "published is an eighth of 78.3, one completion at a time; since then the kernels make 2 GiB of logits",
        ),
        Row("GRPO 20 K, Unsloth: training", 42, unsloth, whole, LONG_GRPO),
        Row(
            "GRPO 20 K, Unsloth: all", 54.3, unsloth + cache, f"{whole}, and the cache", LONG_GRPO,
            "the page adds loss and training, which are not at their peaks at once",
        ),
        Row(
            "GRPO 20 K, TRL: training", 414, chunked, f"{whole}, with checkpointing, without the loss", LONG_GRPO,
            "the page does not say what is kept; without checkpointing we count 1,199",
        ),
        Row(
            "GRPO 20 K, TRL: all", 510.8, plain + base + cache, f"{whole}, with checkpointing, TRL 1.14.2's loss",
            LONG_GRPO, "near only in sum: TRL's loss keeps four times the logits' bytes, and training takes less",
        ),
    ]  # fmt: skip


def _single() -> list[Row]:
    qwen = TABLE["qwen2.5-coder-3b-instruct"]
    card, small = int(23.65 * GIB), TABLE["qwen2.5-coder-1.5b-instruct"]
    cache = vllm_cache_bytes(qwen, Model(quantization="none"), card, 0.393, 1024) / GIB
    longer, before = (_total(LLAMA_8B, length, micro_batch=8) for length in (47_500, 42_000))
    eight = "8 completions in a micro-batch, vLLM asleep"
    return [
        Row("8 × 16 × 2,048 logits", 75, 2 * 8 * 16 * 2048 * 151_936 / GIB, "2 bytes each", LOGITS),
        Row("vLLM's cache, Qwen2.5-3B, 39.3 % of 23.65", 3.44, cache, "16-bit weights", ISSUE, chosen=True),
        Row("47,500 tokens fit with Standby", 80, longer, eight, STANDBY, chosen=True),
        Row("42,000 tokens fit without", 80, before, eight.replace("asleep", "left out"), STANDBY, chosen=True),
        Row(
            "GRPO, Qwen2.5-1.5B, least", 5, _total(small, 1024, micro_batch=8), "8 × 1,024 tokens, without vLLM",
            LONG_GRPO, "vLLM's share, which is told to the engine, is not known",
        ),
    ]  # fmt: skip
