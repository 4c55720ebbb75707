CREATE TABLE IF NOT EXISTS "fact_order_lines" (
    "source" VARCHAR(256) ENCODE zstd NOT NULL,
    "order_id" VARCHAR(256) ENCODE zstd NOT NULL,
    "line_id" VARCHAR(1280) ENCODE zstd NOT NULL,
    "date_key" INTEGER ENCODE az64 NOT NULL,
    "customer_key" BIGINT ENCODE az64 NOT NULL,
    "product_key" BIGINT ENCODE az64 NOT NULL,
    "country_key" BIGINT ENCODE az64 NOT NULL,
    "kind" VARCHAR(12) ENCODE zstd NOT NULL,
    "currency" VARCHAR(12) ENCODE zstd NOT NULL,
    "ordered_at" TIMESTAMP ENCODE raw NOT NULL,
    "quantity" INTEGER ENCODE az64 NOT NULL,
    "unit_price" DECIMAL(18, 4) ENCODE az64 NOT NULL,
    "amount" DECIMAL(28, 4) ENCODE az64 NOT NULL,
    PRIMARY KEY ("source", "order_id", "line_id")
)
DISTSTYLE KEY
DISTKEY ("order_id")
COMPOUND SORTKEY ("ordered_at");
