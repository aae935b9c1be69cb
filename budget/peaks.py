"""The peak memory of each stage of a run, by what it holds, at the moment when most is needed."""

from dataclasses import dataclass

from budget.generation import (
    ENGINE_SHARE,
    graph_bytes,
    kv_bytes_per_token,
    plain_generation,
    vllm_cache_bytes,
    vllm_share,
)
from budget.layers import NUMBER_BYTES, fused
from budget.losses import Loss
from budget.memory import CUDA_CONTEXT_BYTES, MARGIN_SHARE, Memory, Step, training_memory, weights_bytes
from budget.memory import trained_parameters as trained
from budget.shapes import Shape, find_shape
from configs.errors import ConfigError
from configs.evaluation_schema import STAGES
from configs.schema import Config, Lora, Model

PARTS = (
    "weights",
    "16-bit copies",
    "LoRA",
    "reference",
    "gradients",
    "optimizer",
    "activations",
    "logits and loss",
    "KV cache",
    "reserved by vLLM",
    "vLLM overhead",
)
"""In the order in which they are shown; behind them the CUDA context and the margin."""
IN_SHARE = ("weights", "KV cache", "reserved by vLLM", "vLLM overhead")
"""Parts that lie in vLLM's share, of which no margin is counted."""
NOT_MEASURED = "CUDA context and margin are not measured"
ANSWERED = (NOT_MEASURED, "prompts taken as long as model.max_length leaves room for")
OPTIMIZER = "adamw_torch_fused"
"""As `models.training` sets it."""
TOGETHER = 512
"""Answers that vLLM is asked for at a time: `models.engine`."""
LOADED_HERE = ("vllm", "transformers", "llamacpp")


@dataclass(frozen=True)
class Peak:
    """The highest moment of a stage."""

    moment: str
    parts: dict[str, int]
    """Bytes by what they hold, in the order to be shown."""
    notes: tuple[str, ...] = ()
    """What is not measured, or not covered."""

    @property
    def total_bytes(self) -> int:
        """Bytes that the GPU must have."""
        return sum(self.parts.values())


def stage_peaks(cfg: Config, shape: Shape, gpu_bytes: int | None) -> dict[str, Peak]:
    """Return each stage's peak: distill, sft, rl, evaluation.

    gpu_bytes: of the whole GPU, of which vLLM takes its share; none: vLLM is taken to hold what it needs at least.
    """
    return {
        "distill": distill_peak(cfg, gpu_bytes),
        "sft": sft_peak(cfg, shape),
        "rl": rl_peak(cfg, shape, gpu_bytes),
        "evaluation": evaluation_peak(cfg, shape, gpu_bytes),
    }


def sft_peak(cfg: Config, shape: Shape) -> Peak:
    """Return the higher of SFT's two moments: a step, every sequence as long as model.max_length, and its EX."""
    trainer, model = cfg.sft.trainer, cfg.model
    flat = bool(trainer.get("packing") or trainer.get("padding_free"))
    loss: Loss = "nll" if trainer.get("loss_type") in ("nll", "dft") else "chunked_nll"  # Liger's is in chunks, too
    step = Step(
        micro_batch=1 if flat else cfg.sft.micro_batch,
        length=model.max_length * (cfg.sft.micro_batch if flat else 1),
        checkpointing=trainer.get("gradient_checkpointing", True),
        padded=not flat and cfg.sft.micro_batch > 1,
        loss="fused" if fused(model) else loss,
        optimizer=trainer.get("optim", OPTIMIZER),
    )
    memory = training_memory(shape, model, step)
    training = _trained_peak(memory, model)
    if not cfg.sft.ex_every:
        return training
    answers, new = cfg.evaluation.batch_size, cfg.evaluation.max_new_tokens
    made = _generating(shape, model, answers, model.max_length - new, new)
    stays = {"LoRA": memory.lora_bytes, "optimizer": memory.optimizer_bytes, "weights": memory.weights_bytes}
    return _higher(_peak(f"answers to {answers} validation questions", stays | made, ANSWERED), training)


def rl_peak(cfg: Config, shape: Shape, gpu_bytes: int | None) -> Peak:
    """Return the higher of GRPO's two moments, generation and training."""
    return _higher(*rl_moments(cfg, shape, gpu_bytes))


def rl_moments(cfg: Config, shape: Shape, gpu_bytes: int | None) -> tuple[Peak, Peak]:
    """Return GRPO's two moments: the generation of all completions of a step at once, and a micro-batch of training."""
    rl, model = cfg.rl, cfg.model
    loss: Loss = "chunked_grpo" if rl.trainer.get("use_liger_kernel") else "grpo"
    step = Step(
        micro_batch=rl.micro_batch,
        length=rl.max_prompt_length + rl.max_completion_length,
        scored=rl.max_completion_length,
        checkpointing=rl.trainer.get("gradient_checkpointing", True),
        loss="fused" if fused(model) else loss,
        optimizer=rl.trainer.get("optim", OPTIMIZER),
    )
    memory = training_memory(shape, model, step)
    reference = 4 * trained(shape, model) if rl.trainer.get("beta", 0) else 0
    overhead = graph_bytes(shape) if model.vllm else 0
    training = _trained_peak(memory, model, {"reference": reference, "vLLM overhead": overhead})
    stays = {
        "weights": memory.weights_bytes,
        "LoRA": memory.lora_bytes,
        "reference": reference,
        "optimizer": memory.optimizer_bytes,
    }
    answers = rl.prompts_per_step * rl.generations
    if model.vllm:
        share = vllm_share(gpu_bytes, model, standby=True) if gpu_bytes else 0.0
        pool, notes = _vllm(shape, model, gpu_bytes, share, answers, step.length)
        return _peak("generation with vLLM", stays | pool, notes), training
    made = _generating(shape, model, answers, rl.max_prompt_length, rl.max_completion_length)
    who = "Unsloth" if model.backend == "unsloth" else "transformers"
    return _peak(f"generation of {answers} completions with {who}", stays | made, (NOT_MEASURED,)), training


def evaluation_peak(cfg: Config, shape: Shape, gpu_bytes: int | None) -> Peak:
    """Return the peak of answering the test questions, by one model after the other."""
    model, evaluation = cfg.model, cfg.evaluation
    if not set(evaluation.models) & set(STAGES):
        return Peak("answers from servers", {}, ("models behind servers need no GPU here",))
    if model.lora is None:  # a model that was trained whole is loaded as the config says
        held = {"weights": NUMBER_BYTES[model.dtype] * shape.parameters}
    else:
        held = {"weights": weights_bytes(shape, model), "LoRA": 4 * trained(shape, model)}
    if model.vllm:
        pool, notes = _vllm(shape, model, gpu_bytes, ENGINE_SHARE, TOGETHER, model.max_length)
        return _peak("answers with vLLM", held | pool, notes)
    answers = max(evaluation.batch_size, evaluation.samples)  # the samples of a prompt are made together
    new = evaluation.max_new_tokens
    made = _generating(shape, model, answers, model.max_length - new, new)
    return _peak(f"{answers} answers at once", held | made, ANSWERED)


def distill_peak(cfg: Config, gpu_bytes: int | None) -> Peak:
    """Return the peak of the teacher; only one that is loaded here needs a GPU."""
    distill = cfg.distill
    if distill.teacher not in LOADED_HERE:
        where = "the plans come from the gold SQL" if distill.teacher == "plan" else "the teacher is behind a server"
        return Peak("no GPU", {}, (where,))
    try:
        shape = find_shape(distill.model or "")
    except ConfigError:
        return Peak("the teacher's answers", {}, (f"not known: the shape of the teacher {distill.model!r}",))
    model = Model(quantization="none")
    weights = {"weights": weights_bytes(shape, model)}
    longest = cfg.model.max_length + distill.max_new_tokens
    if distill.teacher == "vllm":
        bare = model.model_copy(update={"lora": Lora(targets=[])})
        pool, notes = _vllm(shape, bare, gpu_bytes, ENGINE_SHARE, distill.batch_size * distill.generations, longest)
        return _peak("the teacher's answers with vLLM", weights | pool, notes)
    answers = distill.batch_size * distill.generations
    made = _generating(shape, model, answers, cfg.model.max_length, distill.max_new_tokens)
    notes = (NOT_MEASURED, "the teacher in 16 bit; distill.options are not read")
    return _peak(f"the teacher's {answers} answers at once", weights | made, notes)


def _generating(shape: Shape, model: Model, answers: int, prompt: int, new: int) -> dict[str, int]:
    made = plain_generation(shape, model, answers, prompt, new)
    return {
        "activations": made.activations_bytes,
        "logits and loss": made.logits_bytes,
        "KV cache": made.cache_bytes,
    }


def _vllm(
    shape: Shape, model: Model, gpu_bytes: int | None, share: float, answers: int, longest: int
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return vLLM's parts beside the weights, and what is to be said of them.

    answers, longest: what is asked for at a time, and the tokens of the longest.
    """
    pool = vllm_cache_bytes(shape, model, gpu_bytes or 0, share, longest)
    each = kv_bytes_per_token(shape) * longest
    used = min(pool, answers * each)
    notes = [NOT_MEASURED]
    if gpu_bytes:
        notes.append(f"vLLM fills {share:.0%} of the GPU, weights and all, whatever it needs")
    else:
        notes.append("without a GPU's size: keys and values of one sequence, the least that vLLM starts with")
    if answers > pool // each:
        notes.append(f"{answers} answers: vLLM has room for {pool // each} of full length, and queues the others")
    return {"KV cache": used, "reserved by vLLM": pool - used, "vLLM overhead": graph_bytes(shape)}, tuple(notes)


def _trained_peak(memory: Memory, model: Model, more: dict[str, int] | None = None) -> Peak:
    parts = {
        "weights": memory.weights_bytes,
        "16-bit copies": memory.copies_bytes,
        "LoRA": memory.lora_bytes,
        "gradients": memory.gradients_bytes,
        "optimizer": memory.optimizer_bytes,
        "activations": memory.activations_bytes,
        "logits and loss": memory.logits_bytes,
    }
    read = ("Unsloth's kernels: by their source, not traced",) if fused(model) else ()
    if model.backend == "unsloth" and not fused(model):
        read = ("counted as plain transformers, an upper bound: Unsloth's own kernels do not know this setting",)
    loss = "the loss" if model.lora else "the loss, or the embedding's gradient"
    moment = loss if memory.logits_bytes else "a layer's backward pass"
    return _peak(moment, parts | (more or {}), (NOT_MEASURED, *read))


def _peak(moment: str, parts: dict[str, int], notes: tuple[str, ...]) -> Peak:
    """Return the peak with its parts in order, the CUDA context and the margin."""
    shown = {name: parts[name] for name in PARTS if parts.get(name)}
    whole = IN_SHARE if "reserved by vLLM" in parts else ()
    margin = round(MARGIN_SHARE * sum(size for name, size in shown.items() if name not in whole))
    return Peak(moment, shown | {"CUDA context": CUDA_CONTEXT_BYTES, "margin": margin}, notes)


def _higher(*moments: Peak) -> Peak:
    return max(moments, key=lambda peak: peak.total_bytes)
