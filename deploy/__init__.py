"""Where the containers and jobs are placed: one machine, or AWS."""
