"""What each stream and entity must look like, as data, and its loader."""
