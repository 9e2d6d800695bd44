"""What all else uses and that uses nothing else: errors, files, counters, progress, boxes, labels."""
