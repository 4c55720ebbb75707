CREATE TABLE IF NOT EXISTS "fact_order_lines" (
    "source" VARCHAR(256) NOT NULL,
    "order_id" VARCHAR(256) NOT NULL,
    "line_id" VARCHAR(1280) NOT NULL,
    "date_key" INTEGER NOT NULL,
    "customer_key" BIGINT NOT NULL,
    "product_key" BIGINT NOT NULL,
    "country_key" BIGINT NOT NULL,
    "kind" VARCHAR(12) NOT NULL,
    "currency" VARCHAR(12) NOT NULL,
    "ordered_at" TIMESTAMP NOT NULL,
    "quantity" INTEGER NOT NULL,
    "unit_price" DECIMAL(18, 4) NOT NULL,
    "amount" DECIMAL(28, 4) NOT NULL,
    PRIMARY KEY ("source", "order_id", "line_id")
);
