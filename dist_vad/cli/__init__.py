"""The commands, one module each; nowhere else is a command line read."""
