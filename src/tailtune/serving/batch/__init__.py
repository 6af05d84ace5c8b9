"""Files of texts are answered: rows in, the same rows with their answers out, in bounded memory.

    source.py ── texts ──▶ answering.py ── answers ──▶ kept.py ── when all are there ──▶ output.py

Answers are kept beside the output as they come, so that a run that was cut off goes on. The output is written at the
end, whole, from the input and the kept answers: so it is the same, byte by byte, however often the run was cut off.
"""
