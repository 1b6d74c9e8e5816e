"""A Quatrix server to test and demonstrate against."""

