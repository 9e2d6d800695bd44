"""Many curricula as one job: what they have in common is trained once, and their AUCs become a table."""
