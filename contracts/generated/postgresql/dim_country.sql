CREATE TABLE IF NOT EXISTS "dim_country" (
    "country_key" BIGINT NOT NULL,
    "country" VARCHAR(256) NOT NULL,
    PRIMARY KEY ("country_key")
);
