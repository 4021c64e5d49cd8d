"""One module a system: reads its streams, writes its stock."""
