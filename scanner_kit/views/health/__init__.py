"""The health of the whole desk: every row with its reason, the chain as stations, and the last steps in figures."""
