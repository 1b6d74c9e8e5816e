"""Moves bytes and walks trees, on Quatrix and in other stores. Knows nothing of Airflow."""
