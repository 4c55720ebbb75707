"""Jobs on Apache Spark; each folder is one job."""
