"""The shape of a decoder model: what of its config.json decides how much memory and arithmetic it needs."""

import json
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from configs.errors import ConfigError

TRUE = {"1", "on", "yes", "true"}
"""What huggingface_hub takes for yes in an environment variable."""
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
    "nano": Shape("llama", 4, 128, 352, 4, 2, 32, 3072, True),
    "tiny": Shape("llama", 2, 64, 128, 4, 2, 16, 2000, True),
    "llama-3.2-3b-instruct": Shape("llama", 28, 3072, 8192, 24, 8, 128, 128_256, True),
    "qwen3-4b-instruct-2507": Shape("qwen3", 36, 2560, 9728, 32, 8, 128, 151_936, True),
    "qwen2.5-coder-7b-instruct": Shape("qwen2", 28, 3584, 18_944, 28, 4, 128, 152_064, False),
    "qwen3-8b": Shape("qwen3", 36, 4096, 12_288, 32, 8, 128, 151_936, False),
    "qwen3-14b": Shape("qwen3", 40, 5120, 17_408, 40, 8, 128, 151_936, False),
    "llama-3.2-1b-instruct": Shape("llama", 16, 2048, 8192, 32, 8, 64, 128_256, True),
    "llama-3.1-8b-instruct": Shape("llama", 32, 4096, 14_336, 32, 8, 128, 128_256, False),
    "qwen2.5-coder-0.5b-instruct": Shape("qwen2", 24, 896, 4864, 14, 2, 64, 151_936, True),
    "qwen2.5-coder-1.5b-instruct": Shape("qwen2", 28, 1536, 8960, 12, 2, 128, 151_936, True),
    "qwen2.5-coder-3b-instruct": Shape("qwen2", 36, 2048, 11_008, 16, 2, 128, 151_936, True),
    "qwen2.5-coder-14b-instruct": Shape("qwen2", 48, 5120, 13_824, 40, 8, 128, 152_064, False),
    "qwen3-0.6b": Shape("qwen3", 28, 1024, 3072, 16, 8, 128, 151_936, True),
    "qwen3-1.7b": Shape("qwen3", 28, 2048, 6144, 16, 8, 128, 151_936, True),
    "smollm2-135m": Shape("llama", 30, 576, 1536, 9, 3, 64, 49_152, True),
}
"""The profiles' models, from the config.json that their makers publish at huggingface.co/OWNER/NAME, and the two that
`models.sources` makes: by the name without its owner, in small letters, so that `unsloth/Llama-3.2-3B-Instruct` is
found, too."""

ALIASES = {
    "smollm2-135m-instruct": "smollm2-135m",
    "llama-3.2-1b": "llama-3.2-1b-instruct",
    "llama-3.2-3b": "llama-3.2-3b-instruct",
    "llama-3.1-8b": "llama-3.1-8b-instruct",
    "meta-llama-3.1-8b": "llama-3.1-8b-instruct",
    "meta-llama-3.1-8b-instruct": "llama-3.1-8b-instruct",
    **{
        f"qwen2.5{kind}-{size}b{suffix}": f"qwen2.5-coder-{size}b-instruct"
        for kind in ("", "-coder")
        for size in ("0.5", "1.5", "3", "7", "14")
        for suffix in ("", "-instruct")
    },
    "qwen3-4b": "qwen3-4b-instruct-2507",
    "qwen3-4b-thinking-2507": "qwen3-4b-instruct-2507",
    **{f"qwen3-{size}b-base": f"qwen3-{size}b" for size in ("0.6", "1.7", "8", "14")},
    "qwen3-4b-base": "qwen3-4b-instruct-2507",
}
"""Other names of models of the same shape: base models, and Qwen2.5 without Coder."""
SUFFIXES = ("-unsloth-bnb-4bit", "-bnb-4bit")
"""What Unsloth adds to the name of a model that it publishes quantised."""


def find_shape(name: str, *, hub: bool = True) -> Shape:
    """Return the shape of a model: of a folder, of a name in the table or in the hub's cache, or as the hub says.

    hub: whether the hub may be asked, for config.json alone; never where HF_HUB_OFFLINE is set.  ConfigError where
    the shape is not to be had.
    """
    if Path(name).is_dir():
        return read_shape(Path(name) / "config.json")
    known = name.rpartition("/")[2].lower()
    for suffix in SUFFIXES:
        known = known.removesuffix(suffix)
    if shape := TABLE.get(ALIASES.get(known, known)):
        return shape
    asked, why = _from_hub(name, hub and os.environ.get("HF_HUB_OFFLINE", "").lower() not in TRUE)
    if asked:
        return read_shape(asked)
    raise ConfigError(
        f"model.name: the shape of {name!r} is not in budget's table ({', '.join(TABLE)}), and {why}; "
        "give a folder that holds its config.json"
    )


def _from_hub(name: str, online: bool) -> tuple[Path | None, str]:
    """Return the config.json of a model of the hub, from its cache or fetched; else why there is none."""
    if not find_spec("huggingface_hub"):
        return None, "huggingface_hub is not installed"
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, "config.json")
        if isinstance(found, str):
            return Path(found), ""
        if not online:
            return None, "the hub's cache has no config.json of it"
        return Path(hf_hub_download(name, "config.json")), ""
    except HFValidationError:
        return None, "the hub has no such name"
    except (
        OSError,
        ValueError,
    ) as error:  # no network, no such model, gated: all of them OSError's or ValueError's kin
        return None, f"the hub gave no config.json ({type(error).__name__})"


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
    if values["heads"] % values["kv_heads"]:
        raise ConfigError(f"{path}: num_key_value_heads {values['kv_heads']} must divide {values['heads']} heads")
    return Shape(**values)
