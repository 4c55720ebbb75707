"""Jobs on Apache Flink; each folder is one job."""
