"""A trained state on video that it has not seen: frame scores, events, pictures."""
