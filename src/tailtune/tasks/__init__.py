"""Kinds of task; `table.py` names them."""
