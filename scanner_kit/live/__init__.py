"""The processes of a desk: each may die at any moment, and comes back with nothing lost and nothing twice."""
