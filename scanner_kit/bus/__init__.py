"""The bus: Redis as the way between processes, and as today's memory."""
