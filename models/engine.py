"""Answers of a model that vLLM generates: prompts that begin alike share their cache, and adapters take turns."""

import time
from collections.abc import Iterator
from pathlib import Path

from transformers import AutoTokenizer

from configs.errors import ConfigError
from configs.schema import Model
from models.load import with_template
from models.said import Answer
from models.sources import model_source
from models.template import prompt_ids

LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM makes room for; an adapter of another rank takes the next."""
MEMORY = 0.9
"""Share of the GPU's memory that vLLM may take where nothing is trained beside it."""
TOGETHER = 512
"""Answers that vLLM is asked for at a time; it batches them itself, and what came back is kept."""


class Engine:
    """vLLM's engine with a base model, which is loaded once for all its adapters."""

    def __init__(self, cfg: Model, seed: int) -> None:
        from vllm import LLM

        if cfg.quantization == "8bit":
            raise ConfigError("model.vllm with model.quantization 8bit: vLLM has no such weights; set 4bit or none")
        source = model_source(cfg.name)
        self.tokenizer = with_template(AutoTokenizer.from_pretrained(source, trust_remote_code=False))
        self.llm = LLM(
            model=source,
            dtype=cfg.dtype,
            quantization="bitsandbytes" if cfg.quantization == "4bit" else None,
            max_model_len=cfg.max_length,
            gpu_memory_utilization=MEMORY,
            enable_prefix_caching=True,
            enable_lora=True,
            max_lora_rank=next((rank for rank in LORA_RANKS if rank >= cfg.lora.r), LORA_RANKS[-1]),
            generation_config="vllm",  # not the model's own, which may sample or penalise
            seed=seed,
            trust_remote_code=False,
        )
        self.room = cfg.max_length
        self.adapters: dict[Path, int] = {}

    def answers(
        self,
        adapter: Path | None,
        prompts: list[list[dict[str, str]]],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        samples: int = 1,
    ) -> Iterator[list[tuple[int, Answer]]]:
        """Yield batches as `models.answer.answers` does; adapter: its folder, None for the base model.

        A prompt that leaves no room for an answer gets an empty one, with its `trouble`.
        """
        from vllm import SamplingParams
        from vllm.lora.request import LoRARequest

        how = SamplingParams(
            n=samples,
            temperature=temperature,
            max_tokens=max_new_tokens,
            stop=["</sql>"],
            include_stop_str_in_output=True,
        )
        lora = None
        if adapter:
            number = self.adapters.setdefault(adapter, len(self.adapters) + 1)
            lora = LoRARequest(adapter.parent.name, number, str(adapter.absolute()))
        ids = [prompt_ids(self.tokenizer, prompt) for prompt in prompts]
        order = sorted(range(len(ids)), key=ids.__getitem__)  # that begin alike, one behind the other
        if too_long := [place for place in order if len(ids[place]) >= self.room]:
            why = f"the prompt leaves no room for an answer in model.max_length {self.room}"
            yield [(place, Answer("", 0, 0.0, False, trouble=why)) for place in too_long for _ in range(samples)]
        order = [place for place in order if len(ids[place]) < self.room]
        at_a_time = max(1, TOGETHER // samples)
        for start in range(0, len(order), at_a_time):
            places = order[start : start + at_a_time]
            begun = time.monotonic()
            asked = [{"prompt_token_ids": ids[place]} for place in places]
            outputs = self.llm.generate(asked, how, lora_request=lora, use_tqdm=False)
            seconds = round((time.monotonic() - begun) / (len(places) * samples), 4)
            yield [
                (place, Answer(one.text.strip(), len(one.token_ids), seconds, one.finish_reason == "stop"))
                for place, output in zip(places, outputs, strict=True)
                for one in output.outputs
            ]
