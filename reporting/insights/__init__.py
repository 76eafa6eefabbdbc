"""What the stored rows say: conversions, drift, published statuses, provider automation."""
