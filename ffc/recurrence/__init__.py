"""Any recurrence x_{t+1} = step(x_t, input_t), evaluated in parallel over time; knows no model."""
