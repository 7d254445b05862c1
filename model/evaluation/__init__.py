"""How well it works: methods, ablations and baselines on the same cached features and the same draws."""
