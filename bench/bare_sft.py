"""Supervised training as a user of Unsloth or PEFT and TRL writes it, without planql: what bench.sft compares with.

    python -m bench.bare_sft SETTINGS.json

SETTINGS.json: traces (a JSONL file), folder, model (a folder), backend, quantization, dtype, max_length, lora, seed,
and options (SFTConfig's).  Prints seconds and tokens as JSON.
"""

import json
import sys
import time
from pathlib import Path


def main(file: str) -> int:
    """Return 0 after training and saving the adapter."""
    given = json.loads(Path(file).read_text())
    if given["backend"] == "unsloth":
        import unsloth  # noqa: F401 (before trl)
    from datasets import Dataset
    from transformers import set_seed
    from trl import SFTConfig, SFTTrainer

    set_seed(given["seed"])
    model, tokenizer = (_with_unsloth if given["backend"] == "unsloth" else _with_peft)(given)
    rows = [json.loads(line) for line in Path(given["traces"]).read_text().splitlines()]
    data = {
        split: Dataset.from_list(
            [
                {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]}
                for row in rows
                if row["split"] == split
            ]
        )
        for split in ("train", "validation")
    }
    trainer = SFTTrainer(
        model=model, processing_class=tokenizer, args=SFTConfig(**given["options"]),
        train_dataset=data["train"], eval_dataset=data["validation"],
    )  # fmt: skip
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    start = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - start
    trainer.save_model(str(Path(given["folder"], "adapter")))
    tokens = max(row["num_tokens"] for row in trainer.state.log_history if "num_tokens" in row)
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    said = {"seconds": seconds, "tokens": tokens, "loss": losses[-1], "steps": trainer.state.global_step}
    print(json.dumps(said), file=sys.__stdout__)
    return 0


def _with_unsloth(given: dict):
    import torch
    from unsloth import FastLanguageModel

    model, tokenizer = FastLanguageModel.from_pretrained(
        given["model"], max_seq_length=given["max_length"], dtype=getattr(torch, given["dtype"]),
        load_in_4bit=given["quantization"] == "4bit", load_in_8bit=given["quantization"] == "8bit",
    )  # fmt: skip
    lora, checkpointing = given["lora"], given["options"].get("gradient_checkpointing", True)
    return FastLanguageModel.get_peft_model(
        model, r=lora["r"], lora_alpha=lora["alpha"], lora_dropout=lora["dropout"], target_modules=lora["targets"],
        use_gradient_checkpointing="unsloth" if checkpointing else False, random_state=given["seed"],
    ), tokenizer  # fmt: skip


def _with_peft(given: dict):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert given["quantization"] == "none"
    model = AutoModelForCausalLM.from_pretrained(given["model"], dtype=getattr(torch, given["dtype"]))
    lora = given["lora"]
    adapter = LoraConfig(
        r=lora["r"], lora_alpha=lora["alpha"], lora_dropout=lora["dropout"], target_modules=lora["targets"],
        task_type="CAUSAL_LM",
    )  # fmt: skip
    return get_peft_model(model, adapter), AutoTokenizer.from_pretrained(given["model"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
