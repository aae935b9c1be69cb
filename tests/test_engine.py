"""vLLM's answers, where there is a GPU with vLLM; its sampling and adapters can't be tried elsewhere."""

import pytest

from configs.schema import Lora, Model

pytestmark = pytest.mark.gpu


def test_vllm_answers_as_transformers_does():
    pytest.importorskip("vllm")
    from models.answer import answers
    from models.engine import Engine
    from models.load import load_model

    cfg = Model(name="smollm2-135m", backend="transformers", quantization="none", max_length=1024, lora=Lora(r=8))
    chats = [[{"role": "user", "content": f"Say the number {number} three times."}] for number in range(8)]
    how = {"max_new_tokens": 24}
    (batch,) = answers(*load_model(cfg), chats, batch_size=8, **how)
    mine = {place: answer.text for place, answer in batch}
    engine = Engine(cfg, seed=0)
    theirs = [pair for batch in engine.answers(None, chats, **how) for pair in batch]
    assert sum(mine[place] == answer.text for place, answer in theirs) >= 6  # another kernel may round otherwise
    several = [
        place for batch in engine.answers(None, chats[:2], samples=3, temperature=1.0, **how) for place, _ in batch
    ]
    assert sorted(several) == [0, 0, 0, 1, 1, 1]
