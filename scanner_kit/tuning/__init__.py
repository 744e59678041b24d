"""Tuning: days measured once, and judged under any thresholds."""
