"""How a command line is read beside its grammar: help, what holds for every value, what is wrong with one."""
