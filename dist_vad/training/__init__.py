"""The training of stages: engines, checkpoints, guards, and what ranks agree on."""
