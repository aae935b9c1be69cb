"""A training that SIGTERM stops: what was learned until then is saved, and the same command goes on from it.

A spot instance sends SIGTERM some 30 seconds before it goes, and a GRPO step can take longer than that.  So nothing
waits: a step that has not begun to change the weights is given up, and the checkpoint is of the step before it; one
that has is over at once, and the checkpoint is of that one.  A second signal ends the process.

Of several processes the first one writes the checkpoint, so it does not wait for the others; they add the state of
their generators when they find that it is gone.  A launcher that is signalled passes the signal on to all of them, and
kills what is left 30 seconds later (TORCH_ELASTIC_SHUTDOWN_TIMEOUT).
"""

import random
import signal

import numpy
import torch
from transformers import TrainerCallback

from configs.errors import Stopped
from configs.ranks import rank
from configs.screen import say
from models.progress import Progress
from models.room import out_of_memory


def run(trainer, checkpoint: str | None):
    """Train to the end and return what the trainer does; at a SIGTERM save the last whole step and raise Stopped.

    Where memory runs out before the weights change, that step is saved too, and the error goes on.
    """
    watch = Watch(trainer)
    trainer.callback_handler.callbacks.insert(1, watch)  # before those that take time between two steps
    before = signal.signal(signal.SIGTERM, watch.hear)
    try:
        done = trainer.train(resume_from_checkpoint=checkpoint)
        if watch.stops:
            raise Stopped
    except Stopped:
        watch.save()
        raise
    except (RuntimeError, MemoryError) as error:
        if out_of_memory(error) and watch.alone and not watch.changing:
            watch.save()
        if rank() == 0 or not watch.heard:  # else it is torch's word for a first process that is gone
            raise
        watch.save()
        raise Stopped from None
    finally:
        signal.signal(signal.SIGTERM, before)
        for callback in trainer.callback_handler.callbacks:
            if isinstance(callback, Progress):
                callback.stack.close()  # else the bar ends after what is said of the end
    return done


class Watch(TrainerCallback):
    """Knows at each moment which step was the last whole one, and how the random generators stood after it.

    Where only some of several processes hear the signal, they tell the others at a step's end.
    """

    def __init__(self, trainer) -> None:
        self.trainer, self.alone = trainer, trainer.args.world_size == 1
        self.heard = self.agreed = False
        self.changing = False
        self.saved: int | None = None
        self.after: tuple | None = None

    def hear(self, *_: object) -> None:
        """Stop, now or when the weights are whole again."""
        self.heard = True
        again = signal.SIG_DFL if self.alone else signal.SIG_IGN  # a group's processes hear it from the launcher, too
        signal.signal(signal.SIGTERM, again)
        if self.stops and not self.changing:
            raise Stopped

    @property
    def stops(self) -> bool:
        """Whether the training ends before its next step."""
        return self.agreed or (self.heard and rank() == 0)

    def save(self) -> None:
        """Write a checkpoint of the last whole step, as if the one after it had never begun."""
        state = self.trainer.state
        if self.after and self.saved != state.global_step:
            state.num_input_tokens_seen, *generators = self.after
            _set_generators(*generators)
            if not self.alone and not self.agreed:
                self.trainer.store_flos = lambda: None  # it would wait for the other processes
            self.trainer._save_checkpoint(self.trainer.model, trial=None)
        if self.after:
            say(f"  the checkpoint of step {state.global_step} is saved")
        if self.agreed:
            self.trainer.accelerator.wait_for_everyone()  # a launcher ends the others when one is gone

    def on_train_begin(self, args, state, control, **_: object) -> None:
        """Nothing to save yet: a run that goes on has the checkpoint that it comes from."""
        self.saved = state.global_step

    def on_pre_optimizer_step(self, args, state, control, **_: object) -> None:
        """From here the weights change; then the step is logged and saved, and only then may the next be given up."""
        self.changing = True

    def on_step_end(self, args, state, control, **_: object) -> None:
        """Where this was the last step, save it rather than evaluate."""
        self._note(args, state, control)
        self.agreed = not self.alone and self._any_heard()
        if self.stops:
            control.should_save, control.should_evaluate = True, False

    def on_prediction_step(self, args, state, control, **_: object) -> None:
        """An evaluation changes nothing, and may take long."""
        self.changing = False

    def on_save(self, args, state, control, **_: object) -> None:
        """Remember of which step the newest checkpoint is; what others do now can be given up."""
        self.saved = state.global_step
        self.changing = False

    def on_step_begin(self, args, state, control, **_: object) -> None:
        """End the training before a step that should not begin."""
        self.changing = False
        if self.stops:
            raise Stopped

    def on_train_end(self, args, state, control, **_: object) -> None:
        """What other callbacks do at the end can be given up."""
        self.changing = False

    def _note(self, args, state, control, **_: object) -> None:
        self.after = (state.num_input_tokens_seen, *_generators())

    on_log = on_evaluate = on_epoch_end = _note

    def _any_heard(self) -> bool:
        accelerator = self.trainer.accelerator
        return bool(accelerator.reduce(torch.tensor(float(self.heard), device=accelerator.device)))


def _generators() -> tuple:
    """Return how all random generators stand that a checkpoint holds."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return random.getstate(), numpy.random.get_state(), torch.get_rng_state(), cuda


def _set_generators(python: tuple, array: tuple, cpu: torch.Tensor, cuda: list[torch.Tensor]) -> None:
    random.setstate(python)
    numpy.random.set_state(array)
    torch.set_rng_state(cpu)
    if cuda:
        torch.cuda.set_rng_state_all(cuda)
