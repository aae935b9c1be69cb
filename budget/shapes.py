"""The shape of a decoder model: what of its config.json decides how much memory and arithmetic it needs."""

import json
from dataclasses import dataclass
from pathlib import Path

from configs.errors import ConfigError

LARGEST = 10**7
"""No dimension of a published model comes near it."""


@dataclass(frozen=True)
class Shape:
    """A decoder of the Llama family: RMSNorm, grouped-query attention with rotary positions, SwiGLU."""

    model_type: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool
    """The output layer is the embedding's own matrix."""

    @property
    def qk_norm(self) -> bool:
        """Whether queries and keys are normalised per head, as Qwen3 does."""
        return self.model_type == "qwen3"

    @property
    def qkv_bias(self) -> bool:
        """Whether the query, key and value layers have a bias, as Qwen2 does."""
        return self.model_type == "qwen2"

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """The linear layers of one decoder layer: name → inputs and outputs."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q_proj": (self.hidden, queries),
            "k_proj": (self.hidden, keys),
            "v_proj": (self.hidden, keys),
            "o_proj": (queries, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def embedding_parameters(self) -> int:
        """Numbers in the embedding; the output layer has as many, or none of its own where it is tied."""
        return self.vocab * self.hidden

    @property
    def linear_parameters_per_layer(self) -> int:
        """Numbers in the matrices of one decoder layer: what quantisation shrinks."""
        return sum(inputs * outputs for inputs, outputs in self.linears.values())

    @property
    def parameters_per_layer(self) -> int:
        """Numbers in one decoder layer: matrices, biases of queries, keys and values, norms."""
        biases = (self.heads + 2 * self.kv_heads) * self.head_dim if self.qkv_bias else 0
        norms = 2 * self.hidden + (2 * self.head_dim if self.qk_norm else 0)
        return self.linear_parameters_per_layer + biases + norms

    @property
    def parameters(self) -> int:
        """Numbers in the model.

        >>> round(TABLE["llama-3.2-3b-instruct"].parameters / 1e9, 2)
        3.21
        """
        matrices = 1 if self.tied else 2
        return matrices * self.embedding_parameters + self.layers * self.parameters_per_layer + self.hidden

    def config(self) -> dict[str, object]:
        """Return the shape in the words of transformers' config.json."""
        return {name: getattr(self, ours) for name, ours in KEYS.items()}


KEYS = {
    "model_type": "model_type",
    "num_hidden_layers": "layers",
    "hidden_size": "hidden",
    "intermediate_size": "intermediate",
    "num_attention_heads": "heads",
    "num_key_value_heads": "kv_heads",
    "head_dim": "head_dim",
    "vocab_size": "vocab",
    "tie_word_embeddings": "tied",
}
"""config.json's key → ours."""

TABLE = {
    "llama-3.2-3b-instruct": Shape("llama", 28, 3072, 8192, 24, 8, 128, 128_256, True),
    "qwen3-4b-instruct-2507": Shape("qwen3", 36, 2560, 9728, 32, 8, 128, 151_936, True),
    "qwen2.5-coder-7b-instruct": Shape("qwen2", 28, 3584, 18_944, 28, 4, 128, 152_064, False),
    "qwen3-8b": Shape("qwen3", 36, 4096, 12_288, 32, 8, 128, 151_936, False),
    "qwen3-14b": Shape("qwen3", 40, 5120, 17_408, 40, 8, 128, 151_936, False),
    "smollm2-135m": Shape("llama", 30, 576, 1536, 9, 3, 64, 49_152, True),
}
"""The profiles' models, from the config.json that their makers publish at huggingface.co/OWNER/NAME: by the name
without its owner, in small letters, so that `unsloth/Llama-3.2-3B-Instruct` is found, too."""

ALIASES = {"smollm2-135m-instruct": "smollm2-135m"}
SUFFIXES = ("-unsloth-bnb-4bit", "-bnb-4bit")
"""What Unsloth adds to the name of a model that it publishes quantised."""


def find_shape(name: str) -> Shape:
    """Return the shape of a model: of a folder with a config.json, or of a name in the table; else ConfigError."""
    if Path(name).is_dir():
        return read_shape(Path(name) / "config.json")
    known = name.rpartition("/")[2].lower()
    for suffix in SUFFIXES:
        known = known.removesuffix(suffix)
    if shape := TABLE.get(ALIASES.get(known, known)):
        return shape
    raise ConfigError(
        f"model.name: the shape of {name!r} is not in budget's table ({', '.join(TABLE)}); "
        "give a folder that holds its config.json"
    )


def read_shape(path: Path) -> Shape:
    """Return the shape that a config.json describes; ConfigError where it describes none that budget knows."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read as JSON ({type(error).__name__}); give a model's folder") from None
    if not isinstance(given, dict) or given.get("model_type") not in ("llama", "qwen2", "qwen3"):
        raise ConfigError(f"{path}: model_type is none of llama, qwen2, qwen3, whose memory budget can compute")
    given.setdefault("tie_word_embeddings", False)
    if given.get("num_key_value_heads") is None:
        given["num_key_value_heads"] = given.get("num_attention_heads")
    values = {}
    for key, ours in KEYS.items():
        value = given.get(key)
        if key == "head_dim" and value is None:
            value = values["hidden"] // values["heads"]
        kind = {"model_type": str, "tie_word_embeddings": bool}.get(key, int)
        if type(value) is not kind or (kind is int and not 1 <= value <= LARGEST):
            raise ConfigError(f"{path}: {key} is {value!r:.60}; wanted {kind.__name__}, 1 to {LARGEST:,} for a number")
        values[ours] = value
    return Shape(**values)
