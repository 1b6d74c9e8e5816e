"""Quatrix triggers, which wait in the triggerer."""
