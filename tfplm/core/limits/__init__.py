"""What a configuration can contain: keys of other libraries, types and ranges of values."""
