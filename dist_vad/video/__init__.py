"""From pixels to cubes, for the producer and for scoring alike."""
