"""Sources: where bars come from; files and tables, the simulated market, and a tape played at a pace."""
