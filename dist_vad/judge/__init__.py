"""The judge of frame scores, ours or anybody's: alignment with a ground truth, metrics, comparison, protocol check."""
