CREATE TABLE IF NOT EXISTS "dim_country" (
    "country_key" BIGINT ENCODE raw NOT NULL,
    "country" VARCHAR(256) ENCODE zstd NOT NULL,
    PRIMARY KEY ("country_key")
)
DISTSTYLE ALL
COMPOUND SORTKEY ("country_key");
