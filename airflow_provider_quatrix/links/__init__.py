"""Links from tasks to Quatrix."""
