"""Which version serves: the gate, its evidence, publication and pruning."""
