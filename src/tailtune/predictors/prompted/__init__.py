"""Language models that are prompted: one rung for each way of prompting, the same for every task."""
