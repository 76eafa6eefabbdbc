"""What came in and where it is: the conservation ledger, and retention."""
