"""The four chat platforms as places of one shape, for the rows that measure each channel and all of them together."""
