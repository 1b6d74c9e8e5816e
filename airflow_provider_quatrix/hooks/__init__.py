"""From an Airflow connection to a Quatrix client."""
