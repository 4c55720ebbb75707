CREATE TABLE IF NOT EXISTS "dim_product" (
    "product_key" BIGINT ENCODE raw NOT NULL,
    "stock_code" VARCHAR(256) ENCODE zstd NOT NULL,
    "description" VARCHAR(4000) ENCODE zstd,
    PRIMARY KEY ("product_key")
)
DISTSTYLE ALL
COMPOUND SORTKEY ("product_key");
