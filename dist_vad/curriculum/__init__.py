"""The stages of a run: their settings, the recipes that name their states, and the states on disk."""
