"""The recurrent network whose backpropagation is solved as a linear triangular system (paper, section 4.1).

    h_0 = 0,   o_t = W_o h_t + b_o predicts x_t,   h_{t+1} = softplus(W_h h_t + W_x x_t + b_h)
    loss = 1/T Σ_t (o_t − x_t)²

The adjoints a_t = ∂loss/∂h_t obey a_t = W_oᵀ ∂loss/∂o_t + W_hᵀ (softplus'(z_t) ⊙ a_{t+1}) with z_t the
pre-activation of h_{t+1}. Sequences are [batch, T] float32; the loss is the mean over the batch.

`network.py` is the network and `adjoint.py` its backward pass; `parallel.py` finds the states of all times at once.
Both directions are recurrences of `ffc.recurrence`.
"""

from ffc.models.rnn.adjoint import (
    adjoint_by_chunks,
    adjoint_by_scan,
    adjoint_in_order,
    adjoint_of,
    adjoint_system,
    loss_and_gradients,
)
from ffc.models.rnn.network import Forward, Params, forward, forward_of, gradients, init
from ffc.models.rnn.parallel import Parallel, forward_by_chunks, forward_by_newton, hidden_states

__all__ = [
    "Forward",
    "Parallel",
    "Params",
    "adjoint_by_chunks",
    "adjoint_by_scan",
    "adjoint_in_order",
    "adjoint_of",
    "adjoint_system",
    "forward",
    "forward_by_chunks",
    "forward_by_newton",
    "forward_of",
    "gradients",
    "hidden_states",
    "init",
    "loss_and_gradients",
]
