"""The stages of a model's life; `table.py` is their order.

A stage is a function `run(context) -> Report`. It reads `context.inputs` and the spec sections that its row of the
table names, writes files into the empty folder `context.out`, and returns its report. The runner does the rest: it
takes the use case, checks the guards, puts the files into place, counts the cost, tracks the report and writes it.
"""
