"""Looking on: what passes through a network, what it costs, where NaN began; pictures and pages of it."""
