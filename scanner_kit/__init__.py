"""A toolkit for scanning the US stock market."""
