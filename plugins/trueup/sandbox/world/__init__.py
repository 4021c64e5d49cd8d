"""The world itself: its clock, what it holds, the truth about it, and its faults."""
