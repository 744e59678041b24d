"""Tuning: days measured once, judged under any thresholds, and what came of their triggers."""
