"""The lake: storage by URI, and the objects in it with their manifests."""
