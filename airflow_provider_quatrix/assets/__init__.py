"""Assets of Airflow that are files on Quatrix, and their lineage."""
