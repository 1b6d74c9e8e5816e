"""The command line: ``python -m airflow_provider_quatrix``, and ``airflow quatrix`` on Airflow 3."""
