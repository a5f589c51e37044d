"""What a machine can check of the house itself: text and syntax trees, no peers."""
