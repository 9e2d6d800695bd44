"""The training of stages: engines, checkpoints, guards, and the all-reduce of a step's sums."""
