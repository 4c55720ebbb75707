CREATE TABLE IF NOT EXISTS "dim_customer" (
    "customer_key" BIGINT NOT NULL,
    "customer_id" VARCHAR(256),
    "country" VARCHAR(256),
    "valid_from" TIMESTAMP NOT NULL,
    "valid_to" TIMESTAMP,
    "is_current" BOOLEAN NOT NULL,
    PRIMARY KEY ("customer_key")
);
