"""Recording of segments and follow-ups: the only places that write their tables."""
