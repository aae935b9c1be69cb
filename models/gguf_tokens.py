"""A byte-level BPE tokenizer in a GGUF file, and read back from one as llama.cpp reads it.

llama.cpp has no patterns of a file's own: it knows by name how a text is cut before merging.  So a tokenizer that cuts
in a way without a name can't be converted, and reading it back shows whether the name was the right one.
"""

import json
from pathlib import Path

from gguf import GGUFReader, GGUFWriter, SpecialVocab, TokenType
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

from configs.errors import ConfigError

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERNS = {"llama-bpe": _WORDS, "qwen2": _WORDS.replace("{1,3}", "")}
WHOLE_FIRST = ("llama-bpe",)
"""Where a piece that is a token as it stands isn't merged from its bytes."""


def add_tokenizer(writer: GGUFWriter, folder: Path, vocabulary: int) -> None:
    """Add the tokenizer in `folder` and its chat template; vocabulary: rows of the embedding, at least as many."""
    data = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokens = [f"[PAD{number}]" for number in range(vocabulary)]
    types = [TokenType.UNUSED] * vocabulary
    for token, number in data["model"]["vocab"].items():
        tokens[number], types[number] = token, TokenType.NORMAL
    for added in data["added_tokens"]:
        tokens[added["id"]] = added["content"]
        types[added["id"]] = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")  # llama.cpp's word for byte-level BPE
    writer.add_tokenizer_pre(name_of(data))
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    special = SpecialVocab(folder, load_merges=True, n_vocab=vocabulary)
    special.add_special_token["bos"] = False  # the chat template writes it where there is one
    special.add_to_gguf(writer, quiet=True)


def name_of(data: dict) -> str:
    """Return llama.cpp's name for how a tokenizer.json cuts a text; ConfigError where it has none."""
    steps = _steps(data["pre_tokenizer"])
    normal = _steps(data["normalizer"])
    kinds = [step["type"] for step in steps]
    found = None
    if kinds in (["ByteLevel"], ["Digits", "ByteLevel"]) and steps[-1]["use_regex"]:
        found = "gpt-2" if len(kinds) == 1 else "smollm" if steps[0]["individual_digits"] else None
    elif kinds == ["Split", "ByteLevel"] and not steps[1]["use_regex"]:
        pattern = steps[0]["pattern"].get("Regex")
        found = next((name for name, known in PATTERNS.items() if known == pattern), None)
    whole_first = bool(data["model"].get("ignore_merges"))
    known = (
        data["model"]["type"] == "BPE"
        and found is not None
        and whole_first == (found in WHOLE_FIRST)
        and not steps[-1]["add_prefix_space"]
        and all(step["type"] == "NFC" for step in normal)  # llama.cpp takes text as it comes
    )
    if not known:
        raise ConfigError(
            "--to gguf: llama.cpp knows no tokenizer that cuts text as this one does, so its answers would be others; "
            "give --to merged"
        )
    return found


def read_tokenizer(file: Path) -> Tokenizer:
    """Return a tokenizer made of nothing but what stands in a GGUF file and what llama.cpp knows by name."""
    fields = GGUFReader(file).fields
    tokens, types, merges, name = (
        fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "token_type", "merges", "pre")
    )
    pairs = [tuple(merge.split(" ")) for merge in merges]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    made = Tokenizer(models.BPE(vocabulary, pairs, ignore_merges=name in WHOLE_FIRST))
    made.pre_tokenizer = _cut(name)
    for kind, special in ((TokenType.CONTROL, True), (TokenType.USER_DEFINED, False)):
        chosen = [token for token, its in zip(tokens, types, strict=True) if its == kind]
        made.add_tokens([AddedToken(token, special=special, normalized=False) for token in chosen])
    return made


def _cut(name: str) -> pre_tokenizers.PreTokenizer:
    if name in PATTERNS:
        split = pre_tokenizers.Split(Regex(PATTERNS[name]), "isolated")
        return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    bytes_of_words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if name == "smollm":
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), bytes_of_words])
    return bytes_of_words


def _steps(part: dict | None) -> list[dict]:
    """Return the steps of a pre-tokenizer or normalizer, which may be one, several or none."""
    if part is None:
        return []
    return part.get("pretokenizers", part.get("normalizers", [])) if part["type"] == "Sequence" else [part]
