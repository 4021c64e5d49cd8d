"""The queue of everything that left the line, and its replay."""
