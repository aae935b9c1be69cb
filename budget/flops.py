"""Floating-point operations of a decoder: 2 a number of each matrix and token, and attention's.

N: numbers in the matrices of all layers and the output layer; looking a token up in the embedding costs nothing
(Kaplan et al., 2020, table 1: forward 2N + 2·L·s·d of attention a token, backward twice that).
"""

from budget.shapes import Shape


def layer_numbers(shape: Shape) -> int:
    """Return the numbers in the matrices of all decoder layers."""
    return shape.layers * shape.linear_parameters_per_layer


def forward_flops(shape: Shape, context: float, *, head: float = 1.0) -> float:
    """Return the operations of a forward pass for one token that sees `context` tokens: 2N + 4·L·q·context.

    q: width of all query heads; 2 for the scores and 2 for their weighted sum.
    context: of a whole sequence half its length on average, as kernels leave out what a causal mask hides.
    head: share of the tokens that go through the output layer.
    """
    attention = 4 * shape.layers * shape.heads * shape.head_dim * context
    return 2 * layer_numbers(shape) + attention + 2 * head * shape.embedding_parameters


def training_flops(
    shape: Shape, context: float, *, adapter: int | None, checkpointing: bool, head: float = 1.0
) -> float:
    """Return the operations that training on one token takes.

    Frozen weights with an adapter of `adapter` numbers: forward 2N and the gradient of the activations 2N; the
    gradients of the weights, 2N more, are computed for the adapter only, which takes 6 a number (Hu et al., 2021,
    section 4: they need no gradients).  adapter None: all weights are trained, 6N.  With checkpointing the layers'
    forward pass is done once more.
    """
    forward = forward_flops(shape, context, head=head)
    in_layers = forward_flops(shape, context, head=0)
    flops = 2 * forward if adapter is not None else 3 * forward
    flops += in_layers if checkpointing else 0
    attention = in_layers - 2 * layer_numbers(shape)
    flops += attention if adapter is not None else 0  # both factors of a score have a gradient, frozen or not
    return flops + (8 if checkpointing else 6) * (adapter or 0)
