"""A retrain: what is at stake, what is new, a checkout of its own with a life in it, and what comes back of it."""
