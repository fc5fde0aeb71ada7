"""What each kind of figure shows, for the report: of a task, or of the data behind it."""

_GRADIENT = (
    "Distance of the gradient from the exact one after each Jacobi sweep or backpropagation step, {} training, on "
    "{{data}} (mean and standard deviation over sequences)."
)
_LOSS = (
    "Training loss of the recurrent network on {{data}} against {}, with exact gradients and with gradients from 10 to "
    "80 Jacobi sweeps."
)
_LOGITS = "{} of the logits from the feedforward answer, and {}, against Jacobi iterations, on images of {{data}}."
_TOP = "Difference between Jacobi's top-5 predictions and the feedforward ones, against {}, on images of {{data}}."
_SAMPLES = (
    "Distance of the samples of {{task}} from the solution against {}, for every solver. The model was trained on "
    "{{data}}. A ring marks the oracle stop of the paper, a dot the certified one."
)

#: By the kind of a figure (`ffc.paper.views`).
CAPTIONS = {
    "begin": _GRADIENT.format("before"),
    "end": _GRADIENT.format("after"),
    "loss_time": _LOSS.format("wall-clock time"),
    "loss": _LOSS.format("steps"),
    "lengths": "Seconds of the recurrent network's forward and backward pass against the length of the sequence "
    "(images of {data}, one after the other). The passes run in order, and by parallel methods that agree with that "
    "order to float32 accuracy.",
    "logits": _LOGITS.format("Distance", "their change in an iteration"),
    "logits_log": _LOGITS.format("Log10 of the distance", "of their change in an iteration"),
    "top_iterations": _TOP.format("iterations"),
    "top_time": _TOP.format("estimated time")
    + " Lines with a ring are the authors' estimates for both solvers, lines with a dot were measured.",
    "sample": "A sample of {task} by iteration: sequential sampling above, a parallel solver below. Of samples that "
    "are no pictures, it shows which blocks have their value. The model was trained on {data}.",
    "time": _SAMPLES.format("wall-clock time"),
    "iterations": _SAMPLES.format("iterations"),
    "sizes": "Seconds of a batch of samples (weights for {data}) against sizes, for the cached sequential sampler and "
    "parallel ones, drafted windows among them where the system offers a draft. Images: against their size, their "
    "number and the network's width. Tokens: against temperature, length and width, with the iterations above. Only "
    "one of the three grows at a time, from one sample of the weights' own size and width. A wider network has "
    "channels of zeros, so it gives the same samples. A ring marks the winner of a short race on the device.",
    "training": "Loss of the weights that were trained here, in training and on held-out images. The point marks the "
    "weights that were kept. The title of each panel gives their loss on all test images. Weights that were validated "
    "once have no curve.",
}
