"""REST endpoints of reporting, one module per subject."""
