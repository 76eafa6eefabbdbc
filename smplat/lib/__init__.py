"""What the applications import of the project; it imports none of them."""
