CREATE TABLE IF NOT EXISTS "dim_customer" (
    "customer_key" BIGINT ENCODE raw NOT NULL,
    "customer_id" VARCHAR(256) ENCODE zstd,
    "country" VARCHAR(256) ENCODE zstd,
    "valid_from" TIMESTAMP ENCODE az64 NOT NULL,
    "valid_to" TIMESTAMP ENCODE az64,
    "is_current" BOOLEAN ENCODE zstd NOT NULL,
    PRIMARY KEY ("customer_key")
)
DISTSTYLE ALL
COMPOUND SORTKEY ("customer_key");
