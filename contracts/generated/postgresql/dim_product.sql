CREATE TABLE IF NOT EXISTS "dim_product" (
    "product_key" BIGINT NOT NULL,
    "stock_code" VARCHAR(256) NOT NULL,
    "description" VARCHAR(4000),
    PRIMARY KEY ("product_key")
);
