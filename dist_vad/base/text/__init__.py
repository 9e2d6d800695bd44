"""Texts: names that people give, secrets that stand in them, values that become JSON."""
