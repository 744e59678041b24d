"""A desk on screens: its board, its records and its reviews, served as pages and shown in cells."""
