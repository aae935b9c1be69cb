"""A merged model as one GGUF file, which llama.cpp, Ollama and LM Studio run: Llama, Qwen2 and Qwen3.

The names of the tensors and the quantisers are those of llama.cpp's own package, gguf.  What it doesn't bring is here:
the model's settings, the order of Llama's query and key rows, its rotary factors.  The tokenizer is in
`models.gguf_tokens`.  The K-quants need llama.cpp's program llama-quantize.
"""

import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy
import torch
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter, LlamaFileType
from safetensors import safe_open
from transformers import AutoConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from configs.errors import ConfigError
from models.gguf_tokens import add_tokenizer

ARCHITECTURES = {"llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2, "qwen3": gguf.MODEL_ARCH.QWEN3}
OWN = {
    "f32": (Type.F32, LlamaFileType.ALL_F32),
    "f16": (Type.F16, LlamaFileType.MOSTLY_F16),
    "bf16": (Type.BF16, LlamaFileType.MOSTLY_BF16),
    "q8_0": (Type.Q8_0, LlamaFileType.MOSTLY_Q8_0),
}
"""What gguf quantises in numpy; every other kind is llama-quantize's."""


def write_gguf(folder: Path, file: Path, quantization: str, name: str) -> None:
    """Write the merged model in `folder` to `file`; name: of the model, which programs show."""
    if quantization in OWN:
        _convert(folder, file, *OWN[quantization], name)
        return
    whole = file.with_name("f16.gguf")
    _convert(folder, whole, *OWN["f16"], name)
    command = [shutil.which("llama-quantize") or "llama-quantize", str(whole), str(file), quantization.upper()]
    done = subprocess.run(command, capture_output=True, text=True)
    whole.unlink()
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise ConfigError(f"llama-quantize failed with status {done.returncode}: {said}")


def check_architecture(config) -> None:
    """Raise ConfigError for a model that this converter doesn't know; config: transformers' own."""
    kind = config.model_type
    if kind not in ARCHITECTURES:
        raise ConfigError(
            f"--to gguf: planql converts {', '.join(ARCHITECTURES)}, not {kind}; give --to merged, and its folder to "
            "llama.cpp's convert_hf_to_gguf.py"
        )
    rope = config.rope_parameters["rope_type"]
    if rope not in ("default", "llama3"):
        raise ConfigError(f"--to gguf: planql knows no {rope} positions; give --to merged, and llama.cpp's converter")


def _convert(folder: Path, file: Path, kind: Type, file_type: LlamaFileType, name: str) -> None:
    """Write settings and tokenizer, then the tensors one after the other: only one is ever in memory."""
    config = AutoConfig.from_pretrained(folder)
    check_architecture(config)
    writer = GGUFWriter(file, config.model_type)
    writer.add_name(name)
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _add_settings(writer, config)
    add_tokenizer(writer, folder, config.vocab_size)
    kinds = {}
    for tensor, weight in _tensors(folder, config):
        kinds[tensor] = _kind_of(weight, kind)
        writer.add_tensor_info(tensor, *_stored(weight.shape, kinds[tensor]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor, weight in _tensors(folder, config):
        writer.write_tensor_data(gguf.quants.quantize(weight, kinds[tensor]))
    writer.close()


def _add_settings(writer: GGUFWriter, config) -> None:
    head = config.head_dim if config.model_type != "qwen2" else config.hidden_size // config.num_attention_heads
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def _tensors(folder: Path, config) -> Iterator[tuple[str, numpy.ndarray]]:
    """Yield each tensor's name in GGUF and its values as float32, in GGUF's order of rows."""
    names = gguf.get_tensor_name_map(ARCHITECTURES[config.model_type], config.num_hidden_layers)
    if config.rope_parameters["rope_type"] == "llama3":
        yield "rope_freqs.weight", _rotary_factors(config)
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as weights:
            for key in weights.keys():  # noqa: SIM118 (no mapping)
                tensor = names.get_name(key, try_suffixes=(".weight", ".bias"))
                if tensor is None:
                    raise ConfigError(f"--to gguf: llama.cpp has no place for {key}; give --to merged")
                weight = weights.get_tensor(key).float().numpy()
                yield tensor, _reordered(weight, key, config)


def _reordered(weight: numpy.ndarray, key: str, config) -> numpy.ndarray:
    """Return Llama's queries and keys with each head's rows as llama.cpp rotates them: in pairs of neighbours.

    transformers rotates row i of a head together with row i + half; Qwen's are left so in GGUF too.
    """
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    layer = key.split(".")[-2]
    if config.model_type != "llama" or layer not in heads:
        return weight
    halves = weight.reshape(heads[layer], 2, -1, *weight.shape[1:])
    return numpy.ascontiguousarray(halves.swapaxes(1, 2).reshape(weight.shape))


def _rotary_factors(config) -> numpy.ndarray:
    """Return by how much Llama 3.1's long context slows each rotation: plain frequency / the model's own."""
    own, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    exponents = torch.arange(0, config.head_dim, 2, dtype=torch.float64) / config.head_dim
    plain = config.rope_parameters["rope_theta"] ** -exponents
    return (plain / own.double()).float().numpy()


def _kind_of(weight: numpy.ndarray, kind: Type) -> Type:
    """Return how a tensor is kept: vectors in 32 bit, rows that don't divide into blocks in 16."""
    if weight.ndim == 1:
        return Type.F32
    block, _ = gguf.GGML_QUANT_SIZES[kind]
    return kind if weight.shape[-1] % block == 0 else Type.F16


def _stored(shape: tuple[int, ...], kind: Type) -> tuple[tuple[int, ...], numpy.dtype, int, Type | None]:
    """Return the shape, type and bytes of the array that `quantize` makes, and the kind where the type doesn't tell."""
    if kind in (Type.F32, Type.F16):
        dtype = numpy.dtype(numpy.float32 if kind == Type.F32 else numpy.float16)
        return shape, dtype, math.prod(shape) * dtype.itemsize, None
    rows = gguf.quants.quant_shape_to_byte_shape(shape, kind)
    return rows, numpy.dtype(numpy.uint8), math.prod(rows), kind
