"""sft: out of memory becomes advice, and with auto_batch a smaller batch that takes the same steps."""

import resource

import pytest
import torch
from safetensors.torch import load_file

from configs.errors import ConfigError
from configs.files import read_json, read_jsonl
from configs.screen import console
from models.room import out_of_memory, place
from rl.room import advice, more_room
from sft.room import as_found, with_room
from sft.train import train
from tests.learned import QUESTIONS, config, learn, seen, trace
from tests.processes import run_code

TINY = {"name": "tiny", "backend": "transformers", "quantization": "none", "dtype": "float32", "max_length": 300}
STEPS = {"max_steps": 4, "save_steps": 1, "logging_steps": 1, "eval_strategy": "no", "learning_rate": 0.01}
TRACES = [trace(f"{question} {n}", answer) for n in range(4) for question, answer in QUESTIONS.items()]


def made(folder, **sft):
    """Return a run over twelve traces, eight of them a step."""
    return config(folder, traces=TRACES, model=TINY, sft={"micro_batch": 4, "accumulation": 2, "trainer": STEPS} | sft)


def raised(kind: type[Exception], text: str, within: str = "forward") -> Exception:
    """Return an error as it comes out of a function of that name."""
    scope: dict = {"kind": kind}
    exec(f"def {within}(): raise kind({text!r})", scope)
    try:
        scope[within]()
    except kind as error:
        return error


@pytest.mark.parametrize(
    ("within", "where"),
    [
        ("backward", "the backward pass"),
        ("generate", "the answers"),
        ("evaluation_loop", "an evaluation"),
        ("_chunked_cross_entropy_loss", "the loss"),
        ("forward", "the forward pass"),
        ("compute_loss", "the training"),
        ("from_pretrained", "loading the model"),
    ],
)
def test_where_memory_ran_out_is_read_from_the_traceback(within, where):
    assert place(raised(torch.OutOfMemoryError, "CUDA out of memory.", within)) == where


def test_a_failed_allocation_is_told_from_other_errors():
    with pytest.raises(RuntimeError) as failed:
        torch.empty(2**60, dtype=torch.uint8)
    assert out_of_memory(failed.value) and out_of_memory(MemoryError())
    for said in ("CUDA error: out of memory\nCUDA kernel errors", "Triton Error [CUDA]: out of memory"):
        assert out_of_memory(RuntimeError(said))
    assert out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    with pytest.raises(RuntimeError) as other:
        torch.ones(2) @ torch.ones(3)
    assert not out_of_memory(other.value)


def test_the_optimizer_is_named():
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.ones(2)
    optimizer = torch.optim.SGD([parameter])
    optimizer.register_step_pre_hook(lambda *_: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(MemoryError) as failed:
        optimizer.step()
    assert place(failed.value) == "the optimizer"


def test_advice_leaves_the_step_as_it_is(tmp_path):
    error = raised(torch.OutOfMemoryError, "CUDA out of memory. Tried to allocate 2.00 GiB.")
    with pytest.raises(ConfigError, match="out of memory in the forward pass; the peak before it was ") as said:
        with_room(made(tmp_path), tmp_path, error)
    assert "halve sft.micro_batch to 2 and raise sft.accumulation to 4: the step stays the same" in str(said.value)
    assert "with sft.micro_batch=2 sft.accumulation=4 goes on" in str(said.value) and "\n" not in str(said.value)
    with pytest.raises(ConfigError, match=r"at sft\.micro_batch 1; lower model\.max_length \(300\), set model\.quanti"):
        with_room(made(tmp_path, micro_batch=1, auto_batch=True), tmp_path, error)
    with pytest.raises(ConfigError, match=r"lower evaluation\.batch_size \(16\)"):
        with_room(made(tmp_path, auto_batch=True), tmp_path, raised(MemoryError, "", "generate"))


def test_no_smaller_batch_is_tried_where_the_model_alone_is_too_large(tmp_path):
    error = raised(torch.OutOfMemoryError, "CUDA out of memory.", "from_pretrained")
    with pytest.raises(ConfigError, match=r"memory in loading the model; .*; set model\.quantization: 4bit$"):
        with_room(made(tmp_path, auto_batch=True), tmp_path, error)
    with pytest.raises(ConfigError, match=r"in loading the model; .*; set model\."), more_room(made(tmp_path)):
        raise error


def test_advice_to_grpo_leaves_the_step_as_it_is(tmp_path):
    cfg, error = made(tmp_path), raised(torch.OutOfMemoryError, "CUDA out of memory.", "backward")
    with pytest.raises(ConfigError, match=r"in the backward pass; .* halve rl\.micro_batch to 2: "), more_room(cfg):
        raise error
    assert "lower rl.max_completion_length (100)" in advice(cfg, raised(MemoryError, "", "generate"))
    with pytest.raises(ValueError, match="a bug"), more_room(cfg):
        raise ValueError("a bug")


def test_each_of_several_processes_says_where_and_a_step_that_they_can_share(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setattr("configs.screen.console.quiet", True)  # as in all but the first
    cfg = made(tmp_path, micro_batch=5, accumulation=4, auto_batch=True)
    with pytest.raises(ConfigError, match=r"in the forward pass of process 2; .* to 1 and raise .* to 20:") as said:
        with_room(cfg, tmp_path, raised(MemoryError, ""))
    assert "by itself" not in str(said.value) and not console.quiet


def test_auto_batch_remembers_what_it_came_to(tmp_path):
    cfg = made(tmp_path, auto_batch=True)
    smaller = with_room(cfg, tmp_path, raised(MemoryError, ""))
    assert (smaller.sft.micro_batch, smaller.sft.accumulation) == (2, 4)
    assert as_found(cfg, tmp_path).sft == smaller.sft
    assert as_found(made(tmp_path), tmp_path).sft.micro_batch == 4


@pytest.mark.slow
def test_auto_batch_goes_on_from_where_memory_ran_out_and_learns_the_same(tmp_path):
    whole, short = made(tmp_path / "whole"), made(tmp_path / "short", auto_batch=True)
    train(whole)
    (found,), said = seen(short, 1)  # after the first step there is room for one trace only
    sizes = [len(batch["input_ids"]) for batch in found["batches"]]
    assert sizes == [4, 4] + [1] * 16  # of twelve traces: steps of 8, 4, 8, 4
    assert "going on with sft.micro_batch=2 sft.accumulation=4: the step stays the same" in said
    assert "going on with sft.micro_batch=1 sft.accumulation=8" in said
    assert said.count("from the checkpoint of step 1") == 2
    first, second = (read_jsonl(cfg.folder / "sft" / "metrics.jsonl") for cfg in (whole, short))
    assert [row["loss"] for row in second if "loss" in row] == pytest.approx(
        [row["loss"] for row in first if "loss" in row], rel=1e-4
    )
    ends = [load_file(cfg.folder / "sft" / "adapter" / "adapter_model.safetensors") for cfg in (whole, short)]
    for name, weight in ends[0].items():
        assert torch.allclose(weight, ends[1][name], atol=2e-3), name


@pytest.mark.slow
def test_the_same_command_goes_on_with_the_numbers_that_it_was_told(tmp_path, fresh_process):
    cfg = made(tmp_path)
    done = learn(cfg, 2)
    assert done.returncode and "out of memory in the training" in done.stderr
    assert "with sft.micro_batch=2 sft.accumulation=4 goes on from the last checkpoint" in done.stderr
    smaller = made(tmp_path, micro_batch=2, accumulation=4)
    train(smaller)
    assert read_json(cfg.folder / "sft" / "state.json")["facts"]["steps"] == 4
    steps = [row["step"] for row in read_jsonl(cfg.folder / "sft" / "metrics.jsonl") if "loss" in row]
    assert steps == [1, 2, 3, 4]


@pytest.mark.slow
def test_an_allocator_that_really_fails_ends_in_one_line_and_status_2(tmp_path):
    long = [trace("How many trips? " + "Say it again. " * 100, "SELECT 1") for _ in range(64)]
    model = TINY | {"max_length": 1024}
    config(tmp_path, traces=long, model=model, sft={"micro_batch": 64, "accumulation": 1, "trainer": STEPS})
    code = (
        "import resource, sys\n"
        "from models import stopping\n"
        "run = stopping.run\n"
        "def short(trainer, checkpoint):\n"
        "    pages = int(open('/proc/self/statm').read().split()[0])\n"
        "    limit = pages * resource.getpagesize() + 400 * 2**20\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "    return run(trainer, checkpoint)\n"
        "stopping.run = short\n"
        "from configs.stage import main\n"
        "sys.exit(main('sft', '', 'sft.train:train', sys.argv[1:]))"
    )
    done = run_code(code, tmp_path / "run.json", timeout_s=200)
    assert done.returncode == 2, done.stderr
    assert "sft: out of memory in the " in done.stderr and "Traceback" not in done.stderr
    assert "halve sft.micro_batch to 32 and raise sft.accumulation to 2" in done.stderr.splitlines()[-1]
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
