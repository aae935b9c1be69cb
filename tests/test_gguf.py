"""models.gguf_file: what is written is what transformers reads, and tokenizers that llama.cpp knows cut alike."""

import gguf
import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from configs.errors import ConfigError
from models.gguf_file import check_architecture, write_gguf
from models.gguf_tokens import PATTERNS, name_of, read_tokenizer
from models.sources import CHATML

TEXTS = (
    "<|im_start|>user\nWhich cities are in Norway?<|im_end|>\n<|im_start|>assistant\n<think>\nopen city",
    "SELECT name FROM city WHERE people > 1234567 AND founded = '1048-05-12' -- Ærø, 漢字, 🙂\n\n\n  tail ",
    "it's IT'S we'LL\tx_y1.z2(a,b)\r\n 12  345   6",
)
SHAPE = {
    "vocab_size": 600,  # more than the tokenizer has
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
LONG = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
KINDS = {
    "llama": (LlamaConfig(**SHAPE, head_dim=32, rope_parameters=LONG), "llama-bpe"),
    "llama, tied": (LlamaConfig(**SHAPE, tie_word_embeddings=True), "gpt-2"),
    "qwen2": (Qwen2Config(**SHAPE, tie_word_embeddings=True), "qwen2"),
    "qwen3": (Qwen3Config(**SHAPE, head_dim=32), "smollm"),
}


def tokenizer_that_cuts(name: str) -> PreTrainedTokenizerFast:
    """Return a small byte-level BPE tokenizer whose pieces are those of a name of llama.cpp's."""
    bpe = Tokenizer(models.BPE(ignore_merges=name == "llama-bpe"))
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=name not in PATTERNS)
    first = {"smollm": pre_tokenizers.Digits(individual_digits=True)}
    first |= {each: pre_tokenizers.Split(Regex(pattern), "isolated") for each, pattern in PATTERNS.items()}
    bpe.pre_tokenizer = pre_tokenizers.Sequence([first[name], last]) if name in first else last
    bpe.normalizer = normalizers.NFC() if name == "qwen2" else None
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([*TEXTS] * 3, trainer)
    bpe.add_tokens(["<think>", "</think>"])
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|im_end|>", chat_template=CHATML)


@pytest.fixture(params=KINDS)
def made(request, tmp_path):
    """A model of random weights and its tokenizer, in a folder as an export merges them."""
    config, name = KINDS[request.param]
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    for parameter in model.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=1.0)  # norms and biases that do something
    tokenizer = tokenizer_that_cuts(name)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path, model, tokenizer, name


def test_what_transformers_reads_back_is_the_model(made):
    folder, model, tokenizer, _ = made
    ids = tokenizer(TEXTS[0], return_tensors="pt")["input_ids"]
    config = AutoConfig.from_pretrained(folder)
    with torch.inference_mode():
        wanted = model(ids).logits
        for kind, nearness in (("f32", 1e-5), ("f16", 0.02), ("bf16", 0.1), ("q8_0", 0.2)):
            write_gguf(folder, folder / "x.gguf", kind, "a name")
            read = AutoModelForCausalLM.from_pretrained(folder, gguf_file="x.gguf", config=config, dtype=torch.float32)
            assert (read(ids).logits - wanted).abs().max() < nearness * wanted.std()


def test_the_tokenizer_in_the_file_cuts_as_the_models_own(made):
    folder, _, tokenizer, name = made
    write_gguf(folder, folder / "x.gguf", "f16", "a name")
    own = read_tokenizer(folder / "x.gguf")
    for text in TEXTS:
        assert own.encode(text).ids == tokenizer(text, add_special_tokens=False)["input_ids"]
    fields = gguf.GGUFReader(folder / "x.gguf").fields
    told = {key: fields[f"tokenizer.{key}"].contents() for key in ("ggml.pre", "ggml.eos_token_id", "chat_template")}
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert told == {"ggml.pre": name, "ggml.eos_token_id": end, "chat_template": CHATML}
    types = fields["tokenizer.ggml.token_type"].contents()
    kinds = gguf.TokenType
    assert (types[end], types[len(tokenizer) - 1], types[-1]) == (kinds.CONTROL, kinds.USER_DEFINED, kinds.UNUSED)


def test_the_rotary_factors_slow_down_as_the_model_does(tmp_path):
    config, name = KINDS["llama"]
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(tmp_path)
    tokenizer_that_cuts(name).save_pretrained(tmp_path)
    write_gguf(tmp_path, tmp_path / "x.gguf", "f16", "a name")
    tensors = {tensor.name: tensor.data for tensor in gguf.GGUFReader(tmp_path / "x.gguf").tensors}
    factors = torch.tensor(tensors["rope_freqs.weight"])
    plain = 1 / 500000.0 ** (torch.arange(0, 32, 2) / 32)
    assert torch.allclose(plain / factors, model.model.rotary_emb.inv_freq, rtol=1e-5)
    assert factors[0] == 1 and abs(factors[-1] - 32) < 1e-4


@pytest.mark.parametrize(
    ("change", "is_known"),
    [
        ({}, True),
        ({"pre_tokenizer": None}, False),
        ({"pre_tokenizer": {"type": "Whitespace"}}, False),
        ({"normalizer": {"type": "Lowercase"}}, False),
        ({"normalizer": {"type": "Sequence", "normalizers": []}}, True),
        ({"model": {"type": "BPE", "ignore_merges": True}}, False),
        ({"model": {"type": "Unigram"}}, False),
    ],
)
def test_a_tokenizer_that_llama_cpp_cannot_have_is_refused(change, is_known):
    bytes_alone = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
    data = {"pre_tokenizer": bytes_alone, "normalizer": None, "model": {"type": "BPE"}} | change
    if is_known:
        assert name_of(data) == "gpt-2"
        return
    with pytest.raises(ConfigError, match="knows no tokenizer that cuts text as this one does"):
        name_of(data)


def test_other_architectures_are_refused_with_a_cure():
    with pytest.raises(ConfigError, match="converts llama, qwen2, qwen3, not gpt2; give --to merged"):
        check_architecture(GPT2Config())
    scaled = LlamaConfig(**SHAPE, rope_parameters={"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0})
    with pytest.raises(ConfigError, match="knows no linear positions"):
        check_architecture(scaled)
