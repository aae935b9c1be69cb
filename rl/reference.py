"""The reference policy of the KL penalty: the SFT model, not the base."""

from peft import PeftModel


def keep_reference(trainer) -> None:
    """Give a trainer with β > 0 a frozen copy of the adapter it starts from, under the name that TRL looks for.

    TRL takes the adapter named `ref` for the reference and makes it itself.  Some versions of Unsloth leave that
    step out, and then the reference would silently be the base model; so it is made sure of here.  A model without an
    adapter has a reference of its own, which TRL loads from where `models.load.load_weights` says it comes from.
    """
    model = trainer.model
    if trainer.beta == 0.0 or not isinstance(model, PeftModel) or "ref" in model.peft_config:
        return
    model.add_adapter("ref", model.peft_config["default"])
    for name, parameter in model.named_parameters():
        if ".default." in name:
            model.get_parameter(name.replace(".default.", ".ref.")).data.copy_(parameter.data)
    model.set_adapter("default")
    for name, parameter in model.named_parameters():
        if ".ref." in name:
            parameter.requires_grad_(False)
