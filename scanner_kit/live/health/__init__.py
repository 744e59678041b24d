"""Telling quiet from broken: what is seen of a desk, what it means, and what to do first."""
