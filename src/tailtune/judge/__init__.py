"""Pure judgement: metrics, statistics, costs, decisions. No clock, file or network."""
