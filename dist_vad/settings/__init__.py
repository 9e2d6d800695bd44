"""Every setting of the system, one module a group, and how a command line is read into them."""
