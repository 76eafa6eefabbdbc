"""The warehouse: its tables, the statements that load it, and the load itself."""
