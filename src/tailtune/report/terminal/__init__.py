"""What a person sees in a terminal: the summary, the ledger, progress."""
